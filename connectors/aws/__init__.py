"""Amazon Web Services: EC2 container machines, EBS volumes, VPCs and load balancers."""

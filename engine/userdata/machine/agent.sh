#!/bin/sh
# Find the Python that cloud-init runs on (Red Hat 8 keeps it out of the way) and hand over to the agent.
for python in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3 "$(command -v python3)"; do
    if [ -n "$python" ] && [ -x "$python" ]; then
        exec "$python" -I "${0%.sh}" "$@"
    fi
done
echo "escale: error: no Python 3 on this machine, though cloud-init needs one: use another template" >&2
exit 127

package vcenter

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// instanceUUID is the same for the same name and home, and differs between vCenters.
func instanceUUID(s Settings) string {
	if s.InstanceUUID != "" {
		return strings.ToLower(s.InstanceUUID)
	}
	seed := "escale-vcenter:" + s.Name + ":" + s.Home
	if s.Generation > 0 {
		seed = fmt.Sprintf("%s:%d", seed, s.Generation)
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(seed)).String()
}

func randomPassword() string {
	secret := make([]byte, 18)
	_, _ = rand.Read(secret) // never fails: see crypto/rand
	return base64.RawURLEncoding.EncodeToString(secret)
}

// certificate loads HOME/tls.pem, or makes it at the first start, so that a pinned thumbprint stays good.
func certificate(home, name string) (tls.Certificate, error) {
	path := filepath.Join(home, "tls.pem")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		if data, err = selfSigned(name); err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(data, data)
}

func selfSigned(name string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name + ".vcenter.simulated", Organization: []string{"Escale sandbox"}},
		DNSNames:              []string{"localhost", name + ".vcenter.simulated"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true, // so that the file itself serves as CA file
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), nil
}

// thumbprints are upper-case hexadecimal with colons, as vSphere shows them.
func thumbprints(cert tls.Certificate) (sha256Print, sha1Print string) {
	der := cert.Certificate[0]
	s256, s1 := sha256.Sum256(der), sha1.Sum(der)
	return colons(s256[:]), colons(s1[:])
}

func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

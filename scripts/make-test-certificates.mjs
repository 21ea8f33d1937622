/**
 * Rewrites fixtures/tls: a CA and the server certificates for tests of encrypted connections, all made with openssl.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const target = resolve(import.meta.dirname, '../fixtures/tls')
const work = mkdtempSync(join(tmpdir(), 'sluice-certificates-'))
const THIRTY_YEARS = ['20260101000000Z', '20560101000000Z']
const LONG_AGO = ['20200101000000Z', '20210101000000Z']
const HERE = 'DNS:localhost,IP:127.0.0.1,IP:::1'

const openssl = (...words) => execFileSync('openssl', words, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] })
const file = (name) => join(target, name)

function makeKey(name) {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file(`${name}.key`))
  chmodSync(file(`${name}.key`), 0o600)
}

/** `openssl x509` of older releases has no start date; `openssl ca` has one. */
function sign(name, subject, [from, to], extensions, signer) {
  makeKey(name)
  openssl('req', '-new', '-key', file(`${name}.key`), '-subj', `/CN=${subject}`, '-out', 'request.pem')
  writeFileSync(join(work, 'extensions.cnf'), extensions.join('\n'))
  const by =
    signer === null
      ? ['-selfsign', '-keyfile', file(`${name}.key`)]
      : ['-cert', file(`${signer}.pem`), '-keyfile', file(`${signer}.key`)]
  const words = ['-in', 'request.pem', '-out', file(`${name}.pem`), '-extfile', 'extensions.cnf']
  openssl('ca', '-config', 'ca.cnf', '-batch', '-notext', ...by, '-startdate', from, '-enddate', to, ...words)
}

try {
  mkdirSync(target, { recursive: true })
  writeFileSync(join(work, 'index.txt'), '')
  writeFileSync(
    join(work, 'ca.cnf'),
    `[ca]
default_ca = tiny
[tiny]
database = ${join(work, 'index.txt')}
new_certs_dir = ${work}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`,
  )
  const server = (names) => ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth', `subjectAltName=${names}`]
  const authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
  sign('ca', 'sluice test authority', THIRTY_YEARS, authority, null)
  sign('other-ca', 'another test authority', THIRTY_YEARS, authority, null)
  sign('server', 'localhost', THIRTY_YEARS, server(HERE), 'ca')
  sign('expired', 'localhost', LONG_AGO, server(HERE), 'ca')
  sign('other-host', 'db.example.com', THIRTY_YEARS, server('DNS:db.example.com'), 'ca')
  sign('self-signed', 'localhost', THIRTY_YEARS, server(HERE), null)
  sign('client', 'sluice', THIRTY_YEARS, ['basicConstraints=CA:FALSE', 'extendedKeyUsage=clientAuth'], 'ca')
  // Java servers read certificate and key from one file.
  for (const name of ['server', 'expired', 'other-host', 'self-signed']) {
    const from = ['-in', file(`${name}.pem`), '-inkey', file(`${name}.key`), '-name', name]
    openssl('pkcs12', '-export', ...from, '-out', file(`${name}.p12`), '-passout', 'pass:sluice')
  }
  writeFileSync(
    file('README.md'),
    `Certificates and keys for tests of encrypted connections, made by \`node scripts/make-test-certificates.mjs\`. They protect nothing: their keys
are public. All are valid until 2056, apart from \`expired\`.

| files         | what                                                           |
| ------------- | -------------------------------------------------------------- |
| \`ca\`          | the authority that signed all of these but \`self-signed\`       |
| \`other-ca\`    | an authority that signed none of them                          |
| \`server\`      | for localhost, 127.0.0.1 and ::1                               |
| \`expired\`     | the same names, ended in 2021                                  |
| \`other-host\`  | for db.example.com only                                        |
| \`self-signed\` | the names of \`server\`, signed by itself                        |
| \`client\`      | a client called sluice, for servers that ask for a certificate |

A \`.p12\` holds certificate and key in one file with the password \`sluice\`, for servers in Java.
`,
  )
} finally {
  rmSync(work, { recursive: true, force: true })
}

/** TLS of a connection to a database server, with the words and the meaning of libpq's `sslmode`. */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { SluiceError } from '../../shared/errors.ts'

export const TLS_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type TlsMode = (typeof TLS_MODES)[number]

export type TlsOptions = {
  /** As the user wrote it. Default: a remote server must prove its identity, a local one need not. */
  readonly mode?: TlsMode | undefined
  /** PEM file of the authorities to trust instead of those that come with Node. */
  readonly ca?: PemFile | undefined
  /** PEM files of the client's own certificate and key, for servers that require them. */
  readonly cert?: PemFile | undefined
  readonly key?: PemFile | undefined
  /** Name or address that the user gave; the certificate must be for it. */
  readonly host: string
  readonly isLocal: boolean
}

/** A PEM file that the user named. @property parameter name of the URL parameter, for messages */
export type PemFile = { readonly path: string; readonly parameter: string }

export type TlsPlan = {
  readonly mode: TlsMode
  /**
   * For `tls.connect`; null means plain text. Files are read again at each access: certificates are replaced while a
   * program runs for days.
   * @throws SluiceError BAD_CONFIG if a file cannot be read
   */
  readonly options: ConnectionOptions | null
  /** True if a server without TLS is refused; otherwise the connection continues in plain text. */
  readonly required: boolean
  /** True if the certificate must be for the host, for drivers with their own option. */
  readonly verifyHost: boolean
}

/** @throws SluiceError BAD_CONFIG if a file cannot be read */
export function tlsPlan(request: TlsOptions): TlsPlan {
  const mode = request.mode ?? (request.isLocal ? 'prefer' : 'verify-full')
  const verifyHost = mode === 'verify-full'
  // As in libpq: a CA that the user named is always checked, whatever the mode.
  const verifyChain = verifyHost || mode === 'verify-ca' || request.ca !== undefined
  const options = (): ConnectionOptions => ({
    minVersion: 'TLSv1.2',
    rejectUnauthorized: verifyChain,
    ...(request.ca === undefined ? {} : { ca: readPem(request.ca) }),
    ...(request.cert === undefined ? {} : { cert: readPem(request.cert) }),
    ...(request.key === undefined ? {} : { key: readPem(request.key) }),
    ...(verifyHost ? {} : { checkServerIdentity: () => undefined }),
  })
  // Fail on unreadable files before anything connects.
  options()
  if (mode === 'disable') return { mode, options: null, required: false, verifyHost: false }
  return {
    mode,
    get options() {
      return options()
    },
    required: mode !== 'prefer' && mode !== 'allow',
    verifyHost,
  }
}

/** @throws SluiceError BAD_CONFIG if the word is not a mode */
export function tlsModeOf(word: string, parameter = 'sslmode'): TlsMode {
  const mode = TLS_MODES.find((known) => known === word)
  if (mode !== undefined) return mode
  throw new SluiceError('BAD_CONFIG', `${parameter}=${word} is not known`, {
    hint: `use one of ${TLS_MODES.join(', ')}`,
  })
}

/** Text of a PEM file that the user named. @throws SluiceError BAD_CONFIG if it cannot be read */
function readPem({ path, parameter }: PemFile): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    throw new SluiceError('BAD_CONFIG', `the file of ${parameter} cannot be read`, {
      where: `${path} (${String(code)})`,
      hint: 'name an existing PEM file that this user may read',
      cause: error,
    })
  }
}

/** True if a connection to this host stays on this machine: a socket file, or a loopback address. */
export function isLocalHost(host: string): boolean {
  if (host === '' || host.startsWith('/')) return true
  return /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/i.test(host)
}

const SHOW_AUTHORITY =
  'name the authority that signed it with sslrootcert=/path/ca.pem, or write sslmode=require to encrypt without checking the server'

const REFUSED: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  CERT_HAS_EXPIRED: ['the server certificate has expired', 'have the certificate renewed'],
  CERT_NOT_YET_VALID: ['the server certificate is not valid yet', 'check the clocks of this machine and the server'],
  CERT_REVOKED: ['the server certificate was revoked', 'have the certificate replaced'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['the server certificate is self-signed', SHOW_AUTHORITY],
  SELF_SIGNED_CERT_IN_CHAIN: ['the server certificate is signed by an unknown authority', SHOW_AUTHORITY],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['the server certificate is signed by an unknown authority', SHOW_AUTHORITY],
  UNABLE_TO_GET_ISSUER_CERT: ['the server certificate is signed by an unknown authority', SHOW_AUTHORITY],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['the server certificate is signed by an unknown authority', SHOW_AUTHORITY],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'the server certificate is for another host',
    'use a host name the certificate is for, or write sslmode=verify-ca to check the authority only',
  ],
}

/** A refused certificate or a failed handshake as TLS_FAILED; null if the error is about something else. */
export function tlsError(thrown: unknown, label: string): SluiceError | null {
  if (thrown instanceof SluiceError) return thrown.code === 'TLS_FAILED' ? thrown : null
  const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown }
  if (typeof code !== 'string') return null
  const known = REFUSED[code]
  // Errors that `REFUSED` does not list: codes of certificates in a chain, and codes of OpenSSL, by their prefixes.
  if (
    known === undefined &&
    !/^(?:CERT_|ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$|INVALID_CA|INVALID_PURPOSE|CRL_)/.test(code)
  )
    return null
  const [reason, hint] = known ?? ['the TLS handshake failed', 'check the sslmode, sslrootcert, sslcert and sslkey']
  return new SluiceError('TLS_FAILED', `no secure connection: ${reason}`, {
    where: `${label}: ${String(message)} (${code})`,
    reason,
    hint,
    cause: thrown,
  })
}

/** The server has no TLS and the mode requires it. */
export function tlsMissing(label: string, mode: TlsMode): SluiceError {
  return new SluiceError('TLS_FAILED', 'no secure connection: the server offers no TLS', {
    where: label,
    reason: `sslmode=${mode} demands encryption`,
    hint: 'enable TLS on the server, or write sslmode=disable if the network is trusted',
  })
}

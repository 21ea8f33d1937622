/** Parses a `d1://ACCOUNT/DATABASE` URL, with token and address of the API from the environment. */
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl, secretsOfUrl, decoded } from '../../shared/redact.ts'
import { isLocalHost } from '../common/tls.ts'

export type D1Environment = Readonly<Record<string, string | undefined>>

export type D1Settings = {
  /** URL for messages. */
  readonly label: string
  /** Texts that no message may contain. */
  readonly secrets: readonly string[]
  readonly account: string
  /** Id, or a name that the API has to resolve. */
  readonly database: string
  readonly token: string
  /** Base URL of the API, without a slash at the end. */
  readonly base: string
}

export const DEFAULT_BASE = 'https://api.cloudflare.com/client/v4'

const SHAPE = 'write it as d1://ACCOUNT/DATABASE, with the id or the name of the database'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * @throws SluiceError BAD_CONFIG for another form of URL, without a token, and for an address that would send the token
 * unencrypted
 */
export function d1Settings(url: string, environment: D1Environment = process.env): D1Settings {
  const label = redactUrl(url)
  const [, account = '', database = ''] = /^d1:\/\/([^/?#@]+)\/([^/?#]+)\/?$/i.exec(url) ?? []
  if (account === '' || database === '')
    throw new SluiceError('BAD_CONFIG', 'this is not a valid D1 URL', { where: label, hint: SHAPE })
  const token = environment['CLOUDFLARE_API_TOKEN']?.trim() ?? ''
  if (token === '') {
    throw new SluiceError('BAD_CONFIG', 'CLOUDFLARE_API_TOKEN is not set', {
      where: label,
      hint: 'create an API token with the permission D1 Edit, and set CLOUDFLARE_API_TOKEN to it',
    })
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new SluiceError('BAD_CONFIG', 'CLOUDFLARE_API_TOKEN has characters that are not valid in a token', {
      where: label,
      hint: 'set CLOUDFLARE_API_TOKEN to the token alone, without quotes or blanks',
    })
  }
  const secrets = [token, ...secretsOfUrl(url)]
  return { label, secrets, account: decoded(account), database: decoded(database), token, base: baseOf(environment) }
}

/** True if this is the id of a database rather than its name. */
export function isDatabaseId(text: string): boolean {
  return UUID.test(text)
}

function baseOf(environment: D1Environment): string {
  const written = environment['CLOUDFLARE_API_BASE_URL']?.trim() || DEFAULT_BASE
  const url = URL.canParse(written) ? new URL(written) : null
  const wrong = (what: string): SluiceError =>
    new SluiceError('BAD_CONFIG', `CLOUDFLARE_API_BASE_URL ${what}`, { hint: `unset it to use ${DEFAULT_BASE}` })
  if (url === null || !/^https?:$/.test(url.protocol)) throw wrong('is not an https URL')
  if (url.username !== '' || url.password !== '' || url.search !== '') throw wrong('must contain only an address')
  if (url.protocol === 'http:' && !isLocalHost(url.hostname)) throw wrong('would send the token without encryption')
  return url.origin + url.pathname.replace(/\/+$/, '')
}

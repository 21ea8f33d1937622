/** Where a copy comes from and where it goes, and how a printed command names the two without a password. */
import { SluiceError } from '../shared/errors.ts'
import { redactUrl, secretsOfUrl } from '../shared/redact.ts'
import { shellQuote } from '../shared/shell.ts'
import { optionalText } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import type { ConfigDefaults } from './config.ts'
import { scriptSource, scriptTarget } from './script-variables.ts'

type Env = Readonly<Record<string, string | undefined>>

type Side = 'from' | 'to'

export type End = {
  readonly url: string
  /** `script`: the variables of the resumable script named it. `properties`: those of the Cassandra Data Migrator. */
  readonly origin: 'flag' | 'properties' | 'config' | 'script'
  /** The flag that names it in another command; for a URL of the config file that file. */
  readonly printed: string
}

const SCRIPT_PRINTED: Readonly<Record<Side, string>> = {
  from: '--from "$DATABASE_URL"',
  to: '--to "d1://$CLOUDFLARE_ACCOUNT_ID/$D1_DATABASE_ID"',
}

/**
 * `--from` or `--to`, else what properties say, else the config file, else the script's variables; null where none does.
 * @throws SluiceError BAD_FLAG for what is no URL
 */
export function optionalEnd(
  side: Side,
  args: Arguments,
  defaults: ConfigDefaults,
  env: Env,
  properties?: string,
): End | null {
  const flag = optionalText(args, side)
  if (flag !== undefined) {
    return { url: checked(side, flag, `--${side}`), origin: 'flag', printed: `--${side} ${shownUrl(flag, env)}` }
  }
  if (properties !== undefined)
    return { url: properties, origin: 'properties', printed: `--${side} ${shownUrl(properties, env)}` }
  const config = defaults[side]
  if (config !== undefined) {
    const file = optionalText(args, 'config') ?? ''
    return {
      url: checked(side, urlBehind(config, env, side), `${side} of the config file`),
      origin: 'config',
      printed: `--config ${shellQuote(file)}`,
    }
  }
  const script = side === 'from' ? scriptSource(env) : scriptTarget(env)
  return script === undefined ? null : { url: script, origin: 'script', printed: SCRIPT_PRINTED[side] }
}

/** @throws SluiceError BAD_FLAG where nobody names it */
export function chooseEnd(side: Side, args: Arguments, defaults: ConfigDefaults, env: Env, properties?: string): End {
  const end = optionalEnd(side, args, defaults, env, properties)
  if (end !== null) return end
  const variables = side === 'from' ? 'DATABASE_URL' : 'CLOUDFLARE_ACCOUNT_ID and D1_DATABASE_ID'
  throw new SluiceError('BAD_FLAG', `no ${side === 'from' ? 'source' : 'target'} is given`, {
    hint: `add --${side} with a URL, such as postgresql://user@host/database, sqlite:///file.db, cassandra://host/keyspace or d1://ACCOUNT/DATABASE; or set ${variables}`,
  })
}

/** A URL as a word of a shell: one that holds a secret as the variable that holds it too, else without the secret. */
export function shownUrl(url: string, env: Env): string {
  if (secretsOfUrl(url).length === 0) return shellQuote(url)
  const names = Object.keys(env).filter((name) => env[name] === url && /^[A-Za-z]\w*$/.test(name))
  const [name] = names.toSorted((a, b) => a.length - b.length)
  return name === undefined ? shellQuote(redactUrl(url)) : `"$${name}"`
}

const VARIABLE = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})$/

/** What the config file says: a URL, or `$NAME` for one that a variable holds. @throws SluiceError BAD_CONFIG where that is not set */
function urlBehind(text: string, env: Env, key: string): string {
  const found = VARIABLE.exec(text.trim())
  const name = found?.[1] ?? found?.[2]
  if (name === undefined) return text
  const value = env[name]?.trim() ?? ''
  if (value !== '') return value
  throw new SluiceError('BAD_CONFIG', `${name}, which ${key} of the config file names, is not set`)
}

function checked(side: Side, url: string, origin: string): string {
  if (url.includes('://')) return url
  throw new SluiceError('BAD_FLAG', `${origin} is no URL`, {
    hint: `write it like postgresql://user@host/database, mysql://user@host/database, sqlite:///file.db or duckdb:///file.duckdb${side === 'to' ? ', or d1://ACCOUNT/DATABASE' : ''}`,
  })
}

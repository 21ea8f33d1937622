/** Source and target of a copy, and the flags that name them without a password. */
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import { shellQuote } from '../../shared/shell.ts'
import { MISSING_LEDGER } from '../../engine/run/operations/words.ts'
import { givenList, givenText, type Arguments } from '../parse/arguments.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { noSuchStore, storeNamed, storeOr, resolvedVariable } from '../config/named-stores.ts'
import { scriptSource, scriptTarget } from '../config/script-variables.ts'

type Env = Readonly<Record<string, string | undefined>>

type Side = 'from' | 'to'

export type GivenStore = {
  readonly url: string
  /** `script`: from variables of the resumable script. `properties`: from properties of the Cassandra Data Migrator. */
  readonly origin: 'flag' | 'properties' | 'config' | 'script'
  /**
   * The flag that names this store in another command. For a URL of the config file, it is `--config` with the file.
   */
  readonly printed: string
  /**
   * The `--config` flag that must be printed together with `printed`, if `printed` names a store of the config file.
   */
  readonly beside?: string
}

const SCRIPT_PRINTED: Readonly<Record<Side, string>> = {
  from: '--from "$DATABASE_URL"',
  to: '--to "d1://$CLOUDFLARE_ACCOUNT_ID/$D1_DATABASE_ID"',
}

/**
 * Source or target by priority: flag, properties, config file, variables of the script; null if none has it.
 * @throws SluiceError BAD_FLAG if it is no URL
 */
export function givenStoreUrl(
  side: Side,
  args: Arguments,
  defaults: ConfigDefaults,
  env: Env,
  properties?: string,
): GivenStore | null {
  const flag = givenText(args, side)
  if (flag !== undefined) {
    const stored = storeNamed(flag, defaults, env)
    if (stored !== null) {
      const url = checked(side, stored, `stores.${flag} of the config file`, defaults)
      const beside = `--config ${shellQuote(givenText(args, 'config') ?? '')}`
      return { url, origin: 'flag', printed: `--${side} ${flag}`, beside }
    }
    return {
      url: checked(side, flag, `--${side}`, defaults),
      origin: 'flag',
      printed: `--${side} ${shownUrl(flag, env)}`,
    }
  }
  if (properties !== undefined)
    return { url: properties, origin: 'properties', printed: `--${side} ${shownUrl(properties, env)}` }
  const config = defaults[side]
  if (config !== undefined) {
    const file = givenText(args, 'config') ?? ''
    return {
      url: checked(
        side,
        storeOr(resolvedVariable(config, env, side), defaults, env),
        `${side} of the config file`,
        defaults,
      ),
      origin: 'config',
      printed: `--config ${shellQuote(file)}`,
    }
  }
  const script = side === 'from' ? scriptSource(env, (word) => storeOr(word, defaults, env)) : scriptTarget(env)
  return script === undefined ? null : { url: script, origin: 'script', printed: SCRIPT_PRINTED[side] }
}

/** As `givenStoreUrl`, for a required store. @throws SluiceError BAD_FLAG if it is not given */
export function requiredStore(
  side: Side,
  args: Arguments,
  defaults: ConfigDefaults,
  env: Env,
  properties?: string,
): GivenStore {
  const end = givenStoreUrl(side, args, defaults, env, properties)
  if (end !== null) return end
  const variables = side === 'from' ? 'DATABASE_URL' : 'CLOUDFLARE_ACCOUNT_ID and D1_DATABASE_ID'
  throw new SluiceError('BAD_FLAG', `no ${side === 'from' ? 'source' : 'target'} is given`, {
    hint: `add --${side} with a URL, such as postgresql://user@host/database, sqlite:///file.db, cassandra://host/keyspace or d1://ACCOUNT/DATABASE; or set ${variables}`,
  })
}

/** Database URL of a flag, or of the store that the flag names. @throws SluiceError BAD_FLAG if it is no URL */
export function namedDatabase(option: string, args: Arguments, defaults: ConfigDefaults, env: Env): string | undefined {
  const word = givenText(args, option)
  if (word === undefined) return undefined
  return checked('to', storeOr(word, defaults, env), `--${option}`, defaults)
}

/** As `namedDatabase`, for a repeatable flag; `gone:ID` is returned unchanged. Undefined if it is not given. */
export function namedDatabases(
  option: string,
  args: Arguments,
  defaults: ConfigDefaults,
  env: Env,
): readonly string[] | undefined {
  const words = givenList(args, option)
  if (words.length === 0) return undefined
  return words.map((word) =>
    word.startsWith(MISSING_LEDGER) ? word : checked('to', storeOr(word, defaults, env), `--${option}`, defaults),
  )
}

/** A URL in shell syntax. A URL with a secret is replaced by the variable that contains it, or else is redacted. */
export function shownUrl(url: string, env: Env): string {
  if (secretsOfUrl(url).length === 0) return shellQuote(url)
  const names = Object.keys(env).filter((name) => env[name] === url && /^[A-Za-z]\w*$/.test(name))
  const [name] = names.toSorted((a, b) => a.length - b.length)
  return name === undefined ? shellQuote(redactUrl(url)) : `"$${name}"`
}

function checked(side: Side, url: string, origin: string, defaults: ConfigDefaults): string {
  if (url.includes('://')) return url
  const unknown = noSuchStore(url, defaults, origin)
  if (unknown !== null) throw unknown
  throw new SluiceError('BAD_FLAG', `${origin} is not a URL`, {
    hint: `write it like postgresql://user@host/database, mysql://user@host/database, sqlite:///file.db or duckdb:///file.duckdb${side === 'to' ? ', or d1://ACCOUNT/DATABASE' : ''}`,
  })
}

/** A store in shell syntax, as the config file names it: by a variable or a store name; otherwise its URL. */
export function storeWord(
  written: string | undefined,
  url: string,
  { defaults, env }: { readonly defaults: ConfigDefaults; readonly env: Env },
): string {
  const variable = /^\s*\$(?:(\w+)|\{(\w+)\})\s*$/.exec(written ?? '')
  const name = variable?.[1] ?? variable?.[2]
  if (name !== undefined) return `"$${name}"`
  return written !== undefined && Object.hasOwn(defaults.stores ?? {}, written)
    ? shellQuote(written)
    : shownUrl(url, env)
}

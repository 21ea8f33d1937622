/** `stores:` of the config file: short names for database URLs and archive places. */
import { existsSync } from 'node:fs'
import { asSluiceError, SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import { suggested } from '../../shared/closest.ts'
import type { ConfigDefaults } from './config.ts'

type Env = Readonly<Record<string, string | undefined>>

const VARIABLE = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})$/

/**
 * The value of the variable if `text` is `$NAME` or `${NAME}`; otherwise `text` itself.
 * @param key key of the config file, for the message
 * @throws SluiceError BAD_CONFIG if the variable is not set
 */
export function resolvedVariable(text: string, env: Env, key: string): string {
  const found = VARIABLE.exec(text.trim())
  const name = found?.[1] ?? found?.[2]
  if (name === undefined) return text
  const value = env[name]?.trim() ?? ''
  if (value !== '') return value
  throw new SluiceError('BAD_CONFIG', `the variable ${name} is not set, but ${key} of the config file uses it`, {
    hint: `set ${name}, or ignore the config file with --no-config`,
  })
}

/** The URL of a store; null if there is no such store. @throws SluiceError BAD_CONFIG if its variable is not set */
export function storeNamed(word: string, { stores = {} }: ConfigDefaults, env: Env): string | null {
  const text = Object.hasOwn(stores, word) ? stores[word] : undefined
  return text === undefined ? null : resolvedVariable(text, env, `stores.${word}`)
}

/** The URL of a store, or the word itself. @throws SluiceError as `storeNamed` */
export function storeOr(word: string, defaults: ConfigDefaults, env: Env): string {
  return storeNamed(word, defaults, env) ?? word
}

/**
 * As `storeOr`, for a word that may be a path: an existing path has priority over a store. @throws SluiceError as
 * `storeNamed`
 */
export function placeOr(word: string, defaults: ConfigDefaults, env: Env): string {
  return existsSync(word) ? word : storeOr(word, defaults, env)
}

/**
 * Error for a word that is neither a store nor a URL; lists the known names.
 * @param origin of the word, such as `--from`
 * @returns null if the config file has no stores
 */
export function noSuchStore(word: string, { stores = {} }: ConfigDefaults, origin: string): SluiceError | null {
  const names = Object.keys(stores)
  if (names.length === 0 || word.includes('://')) return null
  return new SluiceError(
    'BAD_FLAG',
    `${origin} is neither a URL nor the name of a store: ${word}${suggested(word, names)}`,
    {
      hint: `the stores of the config file are ${names.join(', ')}`,
    },
  )
}

/**
 * Every store of the config file with its URL, which may contain a password; with an error if its variable is unset.
 */
export function allStores({ stores = {} }: ConfigDefaults, env: Env): readonly ConfiguredStore[] {
  return Object.entries(stores).map(([name, text]) => {
    try {
      return { name, url: resolvedVariable(text, env, `stores.${name}`) }
    } catch (error) {
      return { name, url: text, error: asSluiceError(error).info() }
    }
  })
}

export type ConfiguredStore = { readonly name: string; readonly url: string; readonly error?: ErrorInfo }

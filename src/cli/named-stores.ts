/** `stores:` of the config file: short names for the URLs of databases and places of archives. */
import { existsSync } from 'node:fs'
import { asSluiceError, SluiceError, type ErrorInfo } from '../shared/errors.ts'
import { closest } from '../shared/closest.ts'
import type { ConfigDefaults } from './config.ts'

type Env = Readonly<Record<string, string | undefined>>

const VARIABLE = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})$/

/**
 * What the config file says: a URL, or `$NAME` for one that a variable holds. @throws SluiceError BAD_CONFIG where that
 * is not set
 */
export function urlBehind(text: string, env: Env, key: string): string {
  const found = VARIABLE.exec(text.trim())
  const name = found?.[1] ?? found?.[2]
  if (name === undefined) return text
  const value = env[name]?.trim() ?? ''
  if (value !== '') return value
  throw new SluiceError('BAD_CONFIG', `${name}, which ${key} of the config file names, is not set`, {
    hint: `set ${name}, or leave the config file out with --no-config`,
  })
}

/**
 * The URL that a word stands for; null where no store is called so. @throws SluiceError BAD_CONFIG where its variable
 * is not set
 */
export function storeNamed(word: string, { stores = {} }: ConfigDefaults, env: Env): string | null {
  const text = Object.hasOwn(stores, word) ? stores[word] : undefined
  return text === undefined ? null : urlBehind(text, env, `stores.${word}`)
}

/** The URL that a word stands for, or the word. @throws SluiceError as `storeNamed` */
export function storeOr(word: string, defaults: ConfigDefaults, env: Env): string {
  return storeNamed(word, defaults, env) ?? word
}

/**
 * The same of a word that may be a path: what stands there is meant, and no store. @throws SluiceError as `storeNamed`
 */
export function placeOr(word: string, defaults: ConfigDefaults, env: Env): string {
  return existsSync(word) ? word : storeOr(word, defaults, env)
}

/**
 * Says which names there are, where a word is neither one of them nor a URL.
 * @param origin what gave the word, such as `--from`
 * @returns null where the config file names no stores
 */
export function noSuchStore(word: string, { stores = {} }: ConfigDefaults, origin: string): SluiceError | null {
  const names = Object.keys(stores)
  if (names.length === 0 || word.includes('://')) return null
  const meant = closest(word, names)
  return new SluiceError(
    'BAD_FLAG',
    `${origin} is no URL, and no store is called ${word}${meant === null ? '' : ` (${meant}?)`}`,
    {
      hint: `the config file names ${names.join(', ')}`,
    },
  )
}

/** Every store of the config file with its URL, which may hold a password; where its variable is not set, with why. */
export function allStores({ stores = {} }: ConfigDefaults, env: Env): readonly ConfiguredStore[] {
  return Object.entries(stores).map(([name, text]) => {
    try {
      return { name, url: urlBehind(text, env, `stores.${name}`) }
    } catch (error) {
      return { name, url: text, error: asSluiceError(error).info() }
    }
  })
}

export type ConfiguredStore = { readonly name: string; readonly url: string; readonly error?: ErrorInfo }

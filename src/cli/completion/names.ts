/**
 * Names from the command line's database, for shell completion. The user waits after a key press, so there is a
 * timeout, and errors are ignored; the command itself reports them.
 */
import { knownInCatalog } from '../../app/known-catalog.ts'
import { knownNames, type KnownName } from '../../app/known-names.ts'
import type { Option } from '../../engine/run/operations/option.ts'
import { chooseCatalog, keptCatalogs, findKeptCatalog } from '../flags/catalog-choice.ts'
import { readConfig, type ConfigDefaults } from '../config/config.ts'
import { configFlag } from '../parse/globals.ts'
import { storeOr } from '../config/named-stores.ts'
import { nonEmptyVariable } from '../config/script-variables.ts'
import type { WordCandidate, CompletionRequest } from './candidates.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Timeout for the database, ms. */
const TIMEOUT_MS = 2000
/** Characters that a line-based answer cannot contain; each shell quotes all others itself. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]/u

/** @param words of the line up to the cursor; the last one is being typed @param timeoutMs timeout for the database */
export async function namesFor(
  wanted: CompletionRequest,
  words: readonly string[],
  env: Env,
  timeoutMs: number = TIMEOUT_MS,
): Promise<readonly WordCandidate[]> {
  return (await allNamesFor(wanted, words, env, timeoutMs)).filter(({ word }) => !UNPRINTABLE.test(word))
}

/** As `namesFor`, including names that an answer cannot contain. Empty if the database does not answer in time. */
export async function allNamesFor(
  { kind, flag, takes, commas, table }: CompletionRequest,
  words: readonly string[],
  env: Env,
  timeoutMs: number = TIMEOUT_MS,
): Promise<readonly WordCandidate[]> {
  const current = (words.at(-1) ?? '').slice(flag.length)
  const before = words.slice(0, -1)
  try {
    const file = configFlag(before)
    const defaults = file === null ? {} : readConfig(file)
    const names = await withinTimeout(timeoutMs, asked())
    const whole = namesIn(names, current, kind)
    const at = commas === true && whole.length === 0 ? current.lastIndexOf(',') + 1 : 0
    const front = current.slice(0, at)
    const given = new Set(front.split(','))
    const found = at === 0 ? whole : namesIn(names, current.slice(at), kind).filter(({ name }) => !given.has(name))
    return found.map(({ name, meaning }) => ({ word: flag + front + name, meaning }))

    async function asked(): Promise<readonly KnownName[]> {
      if (kind === 'catalog table' || kind === 'catalog column') {
        const url = catalogOf(before, defaults, env)
        return url === undefined ? [] : await knownInCatalog(url, kind, table)
      }
      const url = databaseOf(takes, before, defaults, env)
      if (url === undefined) return []
      const tables = takes.filter(({ completes }) => completes === 'table').flatMap((one) => valuesOf(one, before))
      return await knownNames(url, kind, tables, AbortSignal.timeout(timeoutMs))
    }
  } catch {
    return []
  }
}

function namesIn(names: readonly KnownName[], typed: string, kind: CompletionRequest['kind']): readonly KnownName[] {
  const fitting = names.filter(({ name }) => name.startsWith(typed))
  if (kind === 'table') return fitting.filter(({ name }) => isSpelled(name, typed))
  // Ids are offered only if the user has begun to type one.
  const ids = new Set(kind === 'catalog table' ? names.map(({ meaning }) => meaning) : [])
  const short = fitting.filter(({ name }) => !ids.has(name))
  return short.length > 0 ? short : typed === '' ? [] : fitting
}

/** The catalog that the command would use. */
function catalogOf(before: readonly string[], defaults: ConfigDefaults, env: Env): string | undefined {
  const [flag] = valuesOf({ name: 'database-url' }, before)
  const choice = chooseCatalog(flag, env, defaults['database-url']) ?? findKeptCatalog('.', env)
  if (choice !== null) return storeOr(choice.url, defaults, env)
  const [only, ...more] = keptCatalogs(env)
  return more.length === 0 ? only : undefined
}

/**
 * True if the name and the typed text both have a schema, or both have none. Every table is listed with and without its
 * schema.
 */
function isSpelled(name: string, current: string): boolean {
  return name.includes('.') === current.includes('.')
}

/** URL of the database to read: the source if the command has both, because a table may not be in the target yet. */
function databaseOf(
  takes: readonly Option[],
  before: readonly string[],
  defaults: ConfigDefaults,
  env: Env,
): string | undefined {
  const ends = takes.filter(({ completes }) => completes === 'database')
  const end = ends.find(({ name }) => name === 'from') ?? ends[0]
  if (end === undefined) return undefined
  const word = valuesOf(end, before)[0] ?? nonEmptyVariable(env, 'DATABASE_URL') ?? defaults.from
  return word === undefined ? undefined : storeOr(word, defaults, env)
}

function valuesOf({ name, alias }: Pick<Option, 'name' | 'alias'>, before: readonly string[]): readonly string[] {
  const flags = [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])]
  return before.flatMap((word, at) => {
    const flag = flags.find((one) => word.startsWith(`${one}=`))
    if (flag !== undefined) return [word.slice(flag.length + 1)]
    return flags.includes(word) && before[at + 1] !== undefined ? [before[at + 1] as string] : []
  })
}

async function withinTimeout<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database takes too long')), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

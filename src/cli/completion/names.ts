/** Names for a shell that only the database of the line knows. It is asked for as long as somebody waits who has pressed a key; what goes wrong there is said by the command itself. */
import { knownNames } from '../../engine/known-names.ts'
import type { Option } from '../../engine/operations/option.ts'
import { readConfig, type ConfigDefaults } from '../config.ts'
import { configFlag } from '../globals.ts'
import { storeOr } from '../named-stores.ts'
import { setVariable } from '../script-variables.ts'
import type { Candidate, Wanted } from './candidates.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Of somebody who has pressed a key. */
const PATIENCE_MS = 2000
/** What an answer of lines cannot hold; all else each shell quotes in its own way. */
const UNSAID = /[\p{Cc}\u2028\u2029]/u

/** @param words of the line up to the cursor; the last one is being typed @param patienceMs how long a database may take */
export async function namesFor(
  wanted: Wanted,
  words: readonly string[],
  env: Env,
  patienceMs: number = PATIENCE_MS,
): Promise<readonly Candidate[]> {
  return (await knownTo(wanted, words, env, patienceMs)).filter(({ word }) => !UNSAID.test(word))
}

/** The same with names that a shell would have to quote. Nothing where the database does not answer in time. */
export async function knownTo(
  { kind, flag, takes }: Wanted,
  words: readonly string[],
  env: Env,
  patienceMs: number = PATIENCE_MS,
): Promise<readonly Candidate[]> {
  const current = (words.at(-1) ?? '').slice(flag.length)
  const before = words.slice(0, -1)
  try {
    const file = configFlag(before)
    const defaults = file === null ? {} : readConfig(file)
    const url = databaseOf(takes, before, defaults, env)
    if (url === undefined) return []
    const tables = takes.filter(({ completes }) => completes === 'table').flatMap((one) => valuesOf(one, before))
    const names = await within(patienceMs, knownNames(url, kind, tables, AbortSignal.timeout(patienceMs)))
    return names
      .filter(({ name }) => name.startsWith(current) && (kind !== 'table' || isSpelled(name, current)))
      .map(({ name, meaning }) => ({ word: flag + name, meaning }))
  } catch {
    return []
  }
}

/** A table has two names, with its schema and without: the one of which as much is typed. */
function isSpelled(name: string, current: string): boolean {
  return name.includes('.') === current.includes('.')
}

/** The source where a command has two ends, as where a table is named that is not yet in the other one. */
function databaseOf(
  takes: readonly Option[],
  before: readonly string[],
  defaults: ConfigDefaults,
  env: Env,
): string | undefined {
  const ends = takes.filter(({ completes }) => completes === 'database')
  const end = ends.find(({ name }) => name === 'from') ?? ends[0]
  if (end === undefined) return undefined
  const word = valuesOf(end, before)[0] ?? setVariable(env, 'DATABASE_URL') ?? defaults.from
  return word === undefined ? undefined : storeOr(word, defaults, env)
}

function valuesOf({ name, alias }: Option, before: readonly string[]): readonly string[] {
  const flags = [`--${name}`, ...(alias === undefined ? [] : [`-${alias}`])]
  return before.flatMap((word, at) => {
    const flag = flags.find((one) => word.startsWith(`${one}=`))
    if (flag !== undefined) return [word.slice(flag.length + 1)]
    return flags.includes(word) && before[at + 1] !== undefined ? [before[at + 1] as string] : []
  })
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
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

/** What `lifecycle:` of the config file says of the table of a command, where the command line says nothing. */
import { declarationOf, takenBy, type SpokenAction } from '../app/operations/facts.ts'
import { conditionsFor } from './alert-flags.ts'
import type { Arguments } from './arguments.ts'
import type { ConfigDefaults } from './config.ts'
import { endWord } from './copy-ends.ts'
import { configuredFor } from './option-flags.ts'
import type { LifecycleConfig } from './lifecycle-config.ts'
import { namedTables } from './table-words.ts'

/** What a name without a schema means, before anything is known of the database. */
export const DEFAULT_SCHEMA = 'public'

/** Read while no other `--config` is given, by commands that are about nothing else. */
export const DEFAULT_CONFIG = 'sluice.yaml'

type Taker = {
  /** Key of an entry that is its `--to`. */
  readonly place: 'to' | 'archive'
  /** Keys whose name is that of one of its options, and means something else there. */
  readonly without: readonly string[]
  /** Actions that destroy what nobody else has: they are told everything on the command line. */
  readonly never?: readonly string[]
}

const SIDES = ['from', 'to'] as const

/** Commands about tables that may have an entry. */
const TAKERS: Readonly<Record<string, Taker>> = {
  partition: { place: 'to', without: ['grace'] },
  archive: { place: 'archive', without: ['workers', 'rate'], never: ['expire'] },
}

export type Said = { readonly args: Arguments; readonly defaults: ConfigDefaults }

/** @property ends flags for the databases that the entry has named: most commands that a run prints know of no entry */
export type SaidByEntry = Said & { readonly ends: readonly string[] }

/**
 * The words with what the entry of their one table adds; the same words where the table has none, or there are several.
 * What is typed counts more than the entry, and the entry more than what the file says for all tables.
 */
export function withLifecycle(
  command: string,
  action: SpokenAction,
  { args, defaults }: Said,
  env: Readonly<Record<string, string | undefined>>,
): SaidByEntry {
  const taker = TAKERS[command]
  const [table, ...more] = namedTables(args, defaults)
  const entry = table === undefined || more.length > 0 ? undefined : entryOf(table, defaults)
  if (taker === undefined || entry === undefined) return { args, defaults, ends: [] }
  const taken = takenBy(action)
  const { from, to: _to, archive: _archive, ...options } = { ...entry, ...alertFor(entry, action) }
  const said = Object.entries(options).filter(
    ([name, value]) =>
      value !== undefined && taken.has(name) && !isLeftOut(taker, action, name) && isUnsaid(args[name], name, defaults),
  )
  const ends = SIDES.flatMap((side) => {
    const written = entry[side]
    const isMeant = taken.has(side) && (side === 'from' || taker.place === 'to')
    return written === undefined || args[side] !== undefined || !isMeant
      ? []
      : [`--${side} ${endWord(written, written, { defaults, env })}`]
  })
  return {
    ends,
    args: { ...args, ...Object.fromEntries(said) },
    defaults: {
      ...defaults,
      ...(from === undefined ? {} : { from }),
      // A partitioned table stands beside the old one where its entry says nothing, wherever copies go.
      ...(entry[taker.place] === undefined && taker.place === 'archive' ? {} : { to: entry[taker.place] }),
    },
  }
}

/**
 * An entry names the causes of all commands about its table: each takes those that it can tell, and none where there
 * are none.
 */
function alertFor({ alert }: LifecycleConfig, { kind }: SpokenAction): Partial<LifecycleConfig> {
  const said = alert === undefined ? '' : conditionsFor(alert, declarationOf(kind).alerts?.causes ?? [])
  return said === '' ? { alert: undefined, 'alert-command': undefined, 'alert-exit': undefined } : { alert: said }
}

function isLeftOut({ without, never = [] }: Taker, { name: action }: SpokenAction, name: string): boolean {
  return without.includes(name) || never.includes(action)
}

/** By the very name that the file has: which schema a bare name means is known once the database is open. */
function entryOf(table: string, { lifecycle = {} }: ConfigDefaults): LifecycleConfig | undefined {
  return Object.hasOwn(lifecycle, table) ? lifecycle[table] : undefined
}

function isUnsaid(value: unknown, name: string, defaults: ConfigDefaults): boolean {
  return value === undefined || value === configuredFor(name, defaults) || (Array.isArray(value) && value.length === 0)
}

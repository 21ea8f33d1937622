/** Applies `lifecycle:` settings of the config file to a command, if the command line does not set them. */
import { declarationOf, optionNamesOf, type CommandAction } from '../../app/operations/facts.ts'
import { conditionsFor } from '../flags/alert-flags.ts'
import type { Arguments } from '../parse/arguments.ts'
import type { ConfigDefaults } from './config.ts'
import { storeWord } from '../flags/copy-stores.ts'
import { configuredFor } from '../parse/option-flags.ts'
import type { LifecycleConfig } from './lifecycle-config.ts'
import { namedTableArguments } from '../parse/table-words.ts'

/** Schema of table names without a schema, before the database is known. */
export const DEFAULT_SCHEMA = 'public'

/** Default of `--config` for commands that need the file. */
export const DEFAULT_CONFIG = 'sluice.yaml'

type LifecycleCommand = {
  /** Key of the entry whose value is the command's `--to`. */
  readonly place: 'to' | 'archive'
  /** Entry keys that have another meaning as options of this command. */
  readonly without: readonly string[]
  /** Actions that destroy the only copy of data: all their options must be on the command line. */
  readonly never?: readonly string[]
}

const SIDES = ['from', 'to'] as const

/** Commands whose tables may have an entry. */
const LIFECYCLE_COMMANDS: Readonly<Record<string, LifecycleCommand>> = {
  partition: { place: 'to', without: ['grace'] },
  archive: { place: 'archive', without: ['workers', 'rate'], never: ['expire'] },
}

/** Arguments of a command line, and the defaults of the config file. */
export type CommandArguments = { readonly args: Arguments; readonly defaults: ConfigDefaults }

/**
 * @property storeFlags `--from` and `--to` with the databases of the entry. Printed commands need these flags, because
 * most commands do not read entries
 */
export type ArgumentsWithEntry = CommandArguments & { readonly storeFlags: readonly string[] }

/**
 * Adds the settings of the entry for the command's single table; unchanged if there is no entry, or several tables.
 * Priority: typed options, entry, settings for all tables.
 */
export function withLifecycle(
  command: string,
  action: CommandAction,
  { args, defaults }: CommandArguments,
  env: Readonly<Record<string, string | undefined>>,
): ArgumentsWithEntry {
  const taker = LIFECYCLE_COMMANDS[command]
  const [table, ...more] = namedTableArguments(args, defaults)
  const entry = table === undefined || more.length > 0 ? undefined : entryOf(table, defaults)
  if (taker === undefined || entry === undefined) return { args, defaults, storeFlags: [] }
  const taken = optionNamesOf(action)
  const { from, to: _to, archive: _archive, lanes: workers, ...others } = { ...entry, ...alertFor(entry, action) }
  // `--workers` of `partition plan` is `lanes` of the entry. `workers` of the entry is only for the copy of a run.
  const options = action.kind === 'partition-plan' ? { ...others, workers } : others
  const said = Object.entries(options).filter(
    ([name, value]) =>
      value !== undefined && taken.has(name) && !isLeftOut(taker, action, name) && isUnset(args[name], name, defaults),
  )
  const storeFlags = SIDES.flatMap((side) => {
    const written = entry[side]
    const isMeant = taken.has(side) && (side === 'from' || taker.place === 'to')
    return written === undefined || args[side] !== undefined || !isMeant
      ? []
      : [`--${side} ${storeWord(written, written, { defaults, env })}`]
  })
  return {
    storeFlags,
    args: { ...args, ...Object.fromEntries(said) },
    defaults: {
      ...defaults,
      ...(from === undefined ? {} : { from }),
      // Without `to` in the entry, the partitioned table is in the same database as the old one; `to` for copies is
      // ignored.
      ...(entry[taker.place] === undefined && taker.place === 'archive' ? {} : { to: entry[taker.place] }),
    },
  }
}

/** Alerts of an entry that this command can raise: an entry lists the causes for all commands about its table. */
function alertFor({ alert }: LifecycleConfig, { kind }: CommandAction): Partial<LifecycleConfig> {
  const said = alert === undefined ? '' : conditionsFor(alert, declarationOf(kind).alerts?.causes ?? [])
  return said === '' ? { alert: undefined, 'alert-command': undefined, 'alert-exit': undefined } : { alert: said }
}

function isLeftOut({ without, never = [] }: LifecycleCommand, { name: action }: CommandAction, name: string): boolean {
  return without.includes(name) || never.includes(action)
}

/** Entry whose key is exactly this name, because the schema of a bare name is unknown until the database is open. */
function entryOf(table: string, { lifecycle = {} }: ConfigDefaults): LifecycleConfig | undefined {
  return Object.hasOwn(lifecycle, table) ? lifecycle[table] : undefined
}

/** True if an option is not on the command line: it has no value, or the config file's value. */
function isUnset(value: unknown, name: string, defaults: ConfigDefaults): boolean {
  return value === undefined || value === configuredFor(name, defaults) || (Array.isArray(value) && value.length === 0)
}

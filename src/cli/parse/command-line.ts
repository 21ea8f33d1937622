/** Prints the command that repeats a run, to copy into a POSIX shell: quoted, complete, without passwords. */
import { GLOBAL_OPTIONS } from '../../engine/run/operations/global-options.ts'
import { redactText } from '../../shared/redact.ts'
import { shellQuote } from '../../shared/shell.ts'
import { CATALOG_VARIABLE, type CatalogChoice } from '../flags/catalog-choice.ts'
import { COMMANDS } from './command-list.ts'
import { shownUrl } from '../flags/copy-stores.ts'
import { currentFlags } from './former-flags.ts'
import { firstWord, splitAtEnd } from './globals.ts'
import { SCHEMA_VARIABLE } from '../flags/schema-choice.ts'

/** Flags that choose a frontend for one call; printed commands leave them out. */
const FRONTEND_FLAGS = new Set(['--ci', '--json', '--tui', '--no-input', '--background'])
/** Flags of any command whose value is or may be a URL: a flag may be typed before its command. */
const URL_FLAGS: ReadonlySet<string> = new Set(
  [...GLOBAL_OPTIONS, ...COMMANDS.flatMap(({ takes }) => takes)].flatMap(({ name, operand, completes }) =>
    completes === 'database' && operand !== true ? [`--${name}`] : [],
  ),
)

/** Flags whose value is never shown, by command. */
const SECRET_FLAGS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  COMMANDS.flatMap(({ name, takes }) => {
    const names = takes.filter(({ withheld }) => withheld === true).map((option) => `--${option.name}`)
    return names.length === 0 ? [] : [[name, new Set(names)] as const]
  }),
)

/** Flags with a value that take effect once: after the start of the run, the remaining work is in the ledger. */
const ONE_TIME_FLAGS: ReadonlySet<string> = new Set(['--resync'])
/** Flag that queues a command for workers. The printed command has neither this flag nor the flags of the queue. */
const DISTRIBUTED_FLAG = '--distributed'
const QUEUE_FLAGS: ReadonlySet<string> = new Set([...ONE_TIME_FLAGS, '--connect', '--tasks', '--queue'])
/** Commands that use the flags of the queue to inspect it: printed commands keep these flags. */
const QUEUE_COMMANDS: ReadonlySet<string> = new Set(['runs', 'ctl'])

export type PrintedAdditions = {
  /** Flags that were not typed, in shell syntax: settings from environment variables. */
  readonly add?: readonly string[]
  /** Flags without a value that must not be repeated: a resumed run does not restart. */
  readonly drop?: readonly string[]
  /** Flags with a value that must not be repeated: run ids are unique. */
  readonly dropValued?: readonly string[]
  /** Environment, to name the variable of a URL with a password. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * The typed words, with flags under their present names and without passwords. A catalog URL from the environment is
 * printed as its variable.
 */
export function commandLine(
  typed: readonly string[],
  catalog: CatalogChoice | null,
  secrets: readonly string[],
  { add = [], drop = [], dropValued = [], env = {} }: PrintedAdditions = {},
): string {
  const words = ['sluice']
  const argv = currentFlags(typed)
  const [flags, [end, ...literal]] = splitAtEnd(argv)
  const isLeft = flags.includes(DISTRIBUTED_FLAG) && !QUEUE_COMMANDS.has(firstWord(flags) ?? '')
  const away = isLeft ? QUEUE_FLAGS : ONE_TIME_FLAGS
  const withheld = flags.map((word) => SECRET_FLAGS.get(word)).find((names) => names !== undefined)
  for (let index = 0; index < flags.length; index += 1) {
    const word = flags[index] ?? ''
    const equals = word.indexOf('=')
    const name = equals === -1 ? word : word.slice(0, equals)
    const next = flags[index + 1]
    if (drop.includes(name)) {
      if (equals === -1 && (next === 'true' || next === 'false')) index += 1
    } else if (dropValued.includes(name) || away.has(name)) {
      if (equals === -1) index += 1
    } else if (withheld?.has(name) === true) {
      words.push(name, `"$${name.slice(2).toUpperCase().replaceAll('-', '_')}"`)
      if (equals === -1) index += 1
    } else if (URL_FLAGS.has(name) && equals !== -1) {
      words.push(`${name}=${shownUrl(word.slice(equals + 1), env)}`)
    } else if (URL_FLAGS.has(name) && next !== undefined) {
      words.push(name, shownUrl(next, env))
      index += 1
    } else if (name === '--conf' && equals !== -1) {
      words.push(`--conf=${shellQuote(shownProperty(word.slice(equals + 1), secrets))}`)
    } else if (name === '--conf' && next !== undefined) {
      words.push(name, shellQuote(shownProperty(next, secrets)))
      index += 1
    } else if (!FRONTEND_FLAGS.has(word) && !(isLeft && word === DISTRIBUTED_FLAG))
      words.push(shellQuote(redactText(word, secrets)))
  }
  words.push(
    ...add,
    ...(catalog?.from === 'variable' ? [`--database-url "$${CATALOG_VARIABLE}"`] : []),
    ...(catalog?.schemaFrom === 'variable' ? [`--schema "$${SCHEMA_VARIABLE}"`] : []),
  )
  if (end !== undefined) words.push(end, ...literal.map((word) => shellQuote(redactText(word, secrets))))
  return words.join(' ')
}

/** A property of the Cassandra Data Migrator, with a password replaced. */
function shownProperty(word: string, secrets: readonly string[]): string {
  const secret = secretOfProperty(word)
  return secret === null ? redactText(word, secrets) : `${word.slice(0, word.indexOf('='))}=***`
}

/** The password in `spark.cdm.connect.target.password=…`, or null. */
export function secretOfProperty(word: string): string | null {
  return /^\s*[\w.]*password\s*=\s*(.+?)\s*$/is.exec(word)?.[1] ?? null
}

/**
 * Completes commands in a text so that they can be pasted: a hint names `sluice quarantine retry`, but the command also
 * needs source and target. Missing options that the run was given are appended as the user wrote them: without
 * passwords, with variables, store names and the config file.
 */
import { redactUrl } from '../../shared/redact.ts'
import { shellOption, shellQuote, valueAfterFlag } from '../../shared/shell.ts'
import { callsIn, type WrittenCall } from './call.ts'
import { isSelection, STEERING } from './options.ts'
import { ownCall } from './own-line.ts'

export type Whole = (text: string) => string

/** Options that name databases, catalogs or the config file. */
const STORE_OPTIONS = [
  'from',
  'to',
  'database-url',
  'schema',
  'connect',
  'config',
  'no-config',
  'properties',
  'conf',
] as const

/** Options of a command that only reads a queue. */
const OF_QUEUE: readonly string[] = ['connect', 'config', 'no-config']

/** Commands that always use a queue, also without `--distributed`. */
const QUEUE_COMMANDS: ReadonlySet<string> = new Set(['worker', 'workers', 'schedule'])

/** Options that name tables: with one of them, no table selection is added. */
const NAMES_TABLES: readonly string[] = ['table', 'tables', 'run', 'undo']

/** Flag that restricts a command to this machine. */
const LOCAL_FLAG = 'here'

/**
 * @param commandLine printed command of the run, which begins with `sluice`
 * @param urls URLs of the run by flag, possibly with passwords. If a text shows one of them without its password, the
 * command line's word for this URL (a variable or a store name) replaces it
 */
export function wholeCommands(commandLine: string, urls: Readonly<Record<string, string>> = {}): Whole {
  const run = ownCall(commandLine)
  if (run === null) return (text) => text
  const withTarget = targeted(run, urls)
  const shown = new Map(Object.entries(urls).map(([flag, url]) => [shellQuote(redactUrl(url)), firstOf(run, flag)]))
  // The ledger has the URL of a run's source, without its password. If the command line has the same URL, a command
  // that names the run needs no `--from`.
  const source = urls['from']
  const isNoted = source !== undefined && firstOf(run, 'from') === shellQuote(redactUrl(source))
  return (text) => {
    if (!text.includes('sluice ') || text === commandLine) return text
    // Complete the calls from last to first, so that the indexes of earlier calls stay valid.
    return callsIn(text).reduceRight((whole, call) => {
      const isOwn = call.callable.name === run.callable.name
      return completed(whole, call, { run: isOwn ? run : withTarget, shown, isNoted })
    }, text)
  }
}

/**
 * Adds `--to` to a `partition` command within one database: other commands about its stream need that database as their
 * target. @param urls as in `wholeCommands`; with `to`, the command or its config file names another database
 */
function targeted(run: WrittenCall, { from, to }: Readonly<Record<string, string>>): WrittenCall {
  if (run.callable.name !== 'partition' || from === undefined || to !== undefined) return run
  const raw = firstOf(run, 'from') ?? shellQuote(redactUrl(from))
  return { ...run, flags: new Map([...run.flags, ['to', [{ raw, start: run.end, end: run.end }]]]) }
}

type Reported = {
  readonly run: WrittenCall
  /** Words of the command line by displayed URL. */
  readonly shown: ReadonlyMap<string, string | undefined>
  /** True if a command that names a run finds its source in the ledger. */
  readonly isNoted: boolean
}

function completed(text: string, call: WrittenCall, { run, shown, isNoted }: Reported): string {
  const goesOn = call.callable.operands.some(({ name }) => name === 'run')
  const behind = [...storeOptions(call, run, isNoted && goesOn ? ['from'] : []), ...selection(call, run)]
  const head = `${text.slice(0, call.end)}${behind.map((word) => ` ${word}`).join('')}${text.slice(call.end)}`
  const places = [...call.flags].flatMap(([name, values]) =>
    values.flatMap((value) => (value === null ? [] : [{ name, value, isOfFlag: true }])),
  )
  const named = call.operands.map((value) => ({ name: 'from', value, isOfFlag: false }))
  return [...named, ...places]
    .toSorted((a, b) => b.value.start - a.value.start)
    .reduce((whole, { name, value, isOfFlag }) => {
      const word =
        value.raw === 'URL' ? urlOf(run, name, call) : (placeholderValue(value.raw, run) ?? shown.get(value.raw))
      // A value that begins with a dash must be joined to its flag with `=`: the parser would read it as another flag.
      const isApart = isOfFlag && whole[value.start - 1] === ' '
      const put = isApart ? valueAfterFlag(word ?? value.raw) : (word ?? value.raw)
      return `${whole.slice(0, value.start - (isApart ? 1 : 0))}${put}${whole.slice(value.end)}`
    }, head)
}

/** Value of a placeholder, if the run has one table or one stream. */
function placeholderValue(placeholder: string, run: WrittenCall): string | undefined {
  if (placeholder === 'STREAM' || placeholder === 'RUN') return operand(run, 'run') ?? firstOf(run, 'run')
  if (placeholder !== 'TABLE') return undefined
  const tables = [...(run.flags.get('table') ?? []), ...(run.flags.get('tables') ?? [])]
  return operand(run, 'table') ?? (tables.length === 1 ? tables[0]?.raw : undefined)
}

/** Value of an operand; undefined if it is missing, or if the run has several values for it. */
function operand(run: WrittenCall, name: string): string | undefined {
  const at = run.callable.operands.findIndex((one) => one.name === name)
  return run.callable.operands[at]?.many === true && run.operands.length > 1 ? undefined : run.operands[at]?.raw
}

/** Options for stores of the run that the command accepts and the text omits. */
function storeOptions(
  { callable, flags }: WrittenCall,
  run: WrittenCall,
  without: readonly string[],
): readonly string[] {
  if (flags.has(LOCAL_FLAG)) return []
  const toWorkers = flags.has('distributed')
  // `grants` concerns a catalog, or a queue if one is named.
  const namesQueue = flags.has('connect') && !toWorkers
  const inspections = callable.name === 'runs' || callable.name === STEERING
  const ofQueue = QUEUE_COMMANDS.has(callable.name) || namesQueue || (toWorkers && inspections)
  return STORE_OPTIONS.flatMap((name) => {
    if (without.includes(name) || (ofQueue && !OF_QUEUE.includes(name))) return []
    if (name === 'connect' && !ofQueue && !toWorkers) return []
    const given = run.flags.get(name)
    const isSame = hasSameMeaning(name, callable, run) || OF_QUEUE.includes(name)
    if (given === undefined || !callable.takes.has(name) || flags.has(name) || !isSame) return []
    return given.map((value) => written(name, value?.raw))
  })
}

/** The run's options that select tables, if the text names none; also copy options if both commands copy or compare. */
function selection({ callable, flags }: WrittenCall, run: WrittenCall): readonly string[] {
  if (callable.operands.length > 0 || NAMES_TABLES.some((name) => flags.has(name))) return []
  return [...run.flags].flatMap(([name, values]) => {
    const isGiven = flags.has(name) || !isSelection(name, callable) || !isSelection(name, run.callable)
    if (isGiven || isStoreOption(name)) return []
    return values.map((value) => written(name, value?.raw))
  })
}

/** Replacement of the word URL: the run's value, unless its option has another meaning. */
function urlOf(run: WrittenCall, name: string, { callable }: WrittenCall): string | undefined {
  return hasSameMeaning(name, callable, run) || !callable.takes.has(name) ? firstOf(run, name) : undefined
}

/** False if the option has another meaning in the other command: `--to` is the folder of an archive, or a database. */
function hasSameMeaning(name: string, { takes }: WrittenCall['callable'], run: WrittenCall): boolean {
  return takes.get(name)?.completes === run.callable.takes.get(name)?.completes
}

function firstOf(run: WrittenCall, name: string): string | undefined {
  return run.flags.get(name)?.[0]?.raw
}

function isStoreOption(name: string): boolean {
  return STORE_OPTIONS.some((end) => end === name)
}

function written(name: string, raw: string | undefined): string {
  return raw === undefined ? `--${name}` : shellOption(`--${name}`, raw)
}

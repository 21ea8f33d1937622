/**
 * Commands that a text names, as they can be pasted: a hint says `sluice quarantine retry`, and the reader has to say again where the rows come from and go to.
 * What a command needs and the run was told is put behind it, in the words of the run: without passwords, with variables, stores of the config file and that file.
 */
import { redactUrl } from '../../shared/redact.ts'
import { shellQuote } from '../../shared/shell.ts'
import { callsIn, type Call } from './call.ts'
import { isSelection, STEERING } from './options.ts'
import { ownCall } from './own-line.ts'

export type Whole = (text: string) => string

/** Databases, catalogs and the file that says what they are called. */
const ENDS = ['from', 'to', 'database-url', 'schema', 'connect', 'config', 'no-config', 'properties', 'conf'] as const

/** Those of a command that looks at a queue and at nothing else. */
const OF_QUEUE: readonly string[] = ['connect', 'config', 'no-config']

/** Commands of a queue without a flag that says so. */
const OF_ITSELF: ReadonlySet<string> = new Set(['worker', 'workers', 'schedule'])

/** What names tables by itself: no selection is put beside it. */
const NAMES_TABLES: readonly string[] = ['table', 'tables', 'run', 'undo']

/** Looks at this machine alone. */
const HERE = 'here'

/**
 * @param commandLine the command of the run as it is printed, which begins with `sluice`
 * @param urls those of the run by the flags that name them, which may hold passwords: a text may show one without it, and the command line knows its variable or its store
 */
export function wholeCommands(commandLine: string, urls: Readonly<Record<string, string>> = {}): Whole {
  const run = ownCall(commandLine)
  if (run === null) return (text) => text
  const shown = new Map(Object.entries(urls).map(([flag, url]) => [shellQuote(redactUrl(url)), firstOf(run, flag)]))
  // A ledger notes the source of each run, without its password: where the line says no more, the short command does.
  const source = urls['from']
  const isNoted = source !== undefined && firstOf(run, 'from') === shellQuote(redactUrl(source))
  return (text) => {
    if (!text.includes('sluice ') || text === commandLine) return text
    // From the last to the first, so that places in front stay what they are.
    return callsIn(text).reduceRight((whole, call) => completed(whole, call, { run, shown, isNoted }), text)
  }
}

type Told = {
  readonly run: Call
  /** Words of the command line for URLs as they are shown. */
  readonly shown: ReadonlyMap<string, string | undefined>
  /** Whether a command that names a run finds its source in the ledger. */
  readonly isNoted: boolean
}

function completed(text: string, call: Call, { run, shown, isNoted }: Told): string {
  const goesOn = call.callable.operands.some(({ name }) => name === 'run')
  const behind = [...ends(call, run, isNoted && goesOn ? ['from'] : []), ...selection(call, run)]
  const head = `${text.slice(0, call.end)}${behind.map((word) => ` ${word}`).join('')}${text.slice(call.end)}`
  const places = [...call.flags].flatMap(([name, values]) =>
    values.flatMap((value) => (value === null ? [] : [{ name, value }])),
  )
  const named = call.operands.map((value) => ({ name: 'from', value }))
  return [...named, ...places]
    .toSorted((a, b) => b.value.start - a.value.start)
    .reduce((whole, { name, value }) => {
      const word = value.raw === 'URL' ? urlOf(run, name, call) : (meant(value.raw, run) ?? shown.get(value.raw))
      return word === undefined ? whole : `${whole.slice(0, value.start)}${word}${whole.slice(value.end)}`
    }, head)
}

/** What a placeholder stands for, where the run was told of one table or one stream. */
function meant(placeholder: string, run: Call): string | undefined {
  if (placeholder === 'STREAM' || placeholder === 'RUN') return operand(run, 'run') ?? firstOf(run, 'run')
  if (placeholder !== 'TABLE') return undefined
  const tables = [...(run.flags.get('table') ?? []), ...(run.flags.get('tables') ?? [])]
  return operand(run, 'table') ?? (tables.length === 1 ? tables[0]?.raw : undefined)
}

/** One that is given once. */
function operand(run: Call, name: string): string | undefined {
  const at = run.callable.operands.findIndex((one) => one.name === name)
  return run.callable.operands[at]?.many === true && run.operands.length > 1 ? undefined : run.operands[at]?.raw
}

/** The ends of the run that the command takes and the text leaves out. */
function ends({ callable, flags }: Call, run: Call, without: readonly string[]): readonly string[] {
  if (flags.has(HERE)) return []
  const toWorkers = flags.has('distributed')
  // Rights are those of a catalog, or of a queue where one is named.
  const namesQueue = flags.has('connect') && !toWorkers
  const looks = callable.name === 'runs' || callable.name === STEERING
  const ofQueue = OF_ITSELF.has(callable.name) || namesQueue || (toWorkers && looks)
  return ENDS.flatMap((name) => {
    if (without.includes(name) || (ofQueue && !OF_QUEUE.includes(name))) return []
    if (name === 'connect' && !ofQueue && !toWorkers) return []
    const given = run.flags.get(name)
    const isSame = isAlike(name, callable, run) || OF_QUEUE.includes(name)
    if (given === undefined || !callable.takes.has(name) || flags.has(name) || !isSame) return []
    return given.map((value) => written(name, value?.raw))
  })
}

/** Tables of the run, for what needs some; with how they are copied, where both copy or compare. */
function selection({ callable, flags }: Call, run: Call): readonly string[] {
  if (callable.operands.length > 0 || NAMES_TABLES.some((name) => flags.has(name))) return []
  return [...run.flags].flatMap(([name, values]) => {
    const isGiven = flags.has(name) || !isSelection(name, callable) || !isSelection(name, run.callable)
    // How many work at a time has nothing to do with what is selected.
    if (isGiven || callable.takes.get(name)?.type === 'number' || isEnd(name)) return []
    return values.map((value) => written(name, value?.raw))
  })
}

/** What stands for the word URL: what the run was given, or the word itself where the run means something else by that option. */
function urlOf(run: Call, name: string, { callable }: Call): string | undefined {
  return isAlike(name, callable, run) || !callable.takes.has(name) ? firstOf(run, name) : undefined
}

/** `--to` is the folder of an archive here, and a database there. */
function isAlike(name: string, { takes }: Call['callable'], run: Call): boolean {
  return takes.get(name)?.completes === run.callable.takes.get(name)?.completes
}

function firstOf(run: Call, name: string): string | undefined {
  return run.flags.get(name)?.[0]?.raw
}

function isEnd(name: string): boolean {
  return ENDS.some((end) => end === name)
}

function written(name: string, raw: string | undefined): string {
  return raw === undefined ? `--${name}` : `--${name} ${raw}`
}

/** Builds the fields of an operation from the words of a command line, according to its declaration. */
import type { CommandDeclaration, Option } from '../../engine/run/operations/option.ts'
import type { Operation, OperationKind } from '../../app/operations/list.ts'
import type { OperationWord, OperationWords } from '../../engine/run/operations/words.ts'
import type { SliceNumbers, SliceUnit } from '../../model/calendar/slices.ts'
import type { AsOf } from '../../model/lake/as-of.ts'
import { SluiceError } from '../../shared/errors.ts'
import { exclusive, givenFlag, given, givenList, givenCount, givenText, type Arguments } from './arguments.ts'
import { ageIn, calendarOptions } from '../flags/calendar-flags.ts'
import { alertOf } from '../flags/alert-flags.ts'
import { archivePlaceArgument } from '../flags/archive-flags.ts'
import { operate, type Request, type RequestContext } from '../commands/command.ts'
import { requiredStore, namedDatabase, namedDatabases, givenStoreUrl } from '../flags/copy-stores.ts'
import { parseDuration, parseInstant } from '../flags/duration.ts'
import { durationText, measureText } from '../../shared/figures.ts'
import { GLOBAL_NAMES } from './globals.ts'
import { splitNames } from '../flags/name-list.ts'
import { placeOr } from '../config/named-stores.ts'
import { configuredFor, shownOption } from './option-flags.ts'
import { chooseQueue } from '../flags/queue-choice.ts'
import { runIdArgument } from '../flags/run-id.ts'
import { namedTableArguments, oneTableOf, someTableArguments, tablesOrAllArgument } from './table-words.ts'

/** A parsed command line. */
type ParsedLine = { readonly command: CommandDeclaration; readonly args: Arguments; readonly context: RequestContext }

/** As `ParsedLine`, with the kind of the operation. */
type ParsedOperationLine = ParsedLine & { readonly kind: OperationKind }

type SlicesOptions = { readonly unit: SliceUnit; readonly numbers?: SliceNumbers }

const SLICES_FORM = /^(?:(week|month)|(?:(week|month):)?(\d{1,4})(?:-(\d{1,4}))?)$/

/**
 * Builds the request from the words of the line.
 * @param words the source of the value, for each field of the operation
 * @throws SluiceError BAD_FLAG, BAD_CONFIG
 */
export function buildRequest(
  kind: OperationKind,
  words: OperationWords<Readonly<Record<string, unknown>>>,
  line: ParsedLine,
): Request {
  const add: string[] = []
  const fields = Object.entries(words)
    .map(([field, word]) => [field, valueOf(word, { ...line, kind }, add)] as const)
    .filter(([, value]) => value !== undefined)
  // The compiler has checked the sources against the fields (`Words`), and each is read as its declared type.
  const operation = { kind, ...Object.fromEntries(fields) } as Operation
  const hasEnds = Object.values(words).some(({ as }) => as === 'end')
  // Printed commands resume the run, so they must not repeat `--restart`.
  const drop = Object.values(words).flatMap((word) =>
    'option' in word && word.option === 'restart' ? ['--restart'] : [],
  )
  return operate(operation, hasEnds ? { printed: { add, drop } } : undefined)
}

/** @param add receives flags for the printed command that were not typed */
function valueOf(word: OperationWord, line: ParsedOperationLine, add: string[]): unknown {
  const { args, context } = line
  switch (word.as) {
    case 'catalog':
      return word.required === true ? context.catalog() : context.optionalCatalog()
    case 'end': {
      const choose = word.required === true ? requiredStore : givenStoreUrl
      const end = choose(word.option, args, context.defaults, context.env)
      if (end?.origin === 'script') add.push(end.printed)
      return end?.url
    }
    case 'queue':
      return (givenText(args, 'connect') ?? context.defaults.connect) === undefined
        ? undefined
        : chooseQueue(args, context.defaults, context.env)
    case 'database':
      return namedDatabase(word.option, args, context.defaults, context.env)
    case 'databases':
      return namedDatabases(word.option, args, context.defaults, context.env)
    case 'archive place':
      return archivePlaceArgument(args, context)
    case 'as of':
      return asOf(args)
    case 'constant':
      return word.value
    case 'calendar':
      return calendarOptions(args, context.defaults)
    case 'alert':
      return alertOf(line.kind, args)
    case 'slice unit':
    case 'slice numbers': {
      const text = givenText(args, word.option)
      const slices = text === undefined ? undefined : slicesIn(text)
      return word.as === 'slice unit' ? slices?.unit : slices?.numbers
    }
    case 'age':
      return ageIn(args, word.option, context.defaults)
    case 'any tables':
      return namedTableArguments(args, context.defaults)
    case 'some tables':
      return someTableArguments(args, context.defaults)
    case 'one table':
      return oneTableOf(args, context.defaults)
    default:
      return ofOption(word, optionOf(line.command, word.option), line)
  }
}

/**
 * Parses `--slices`: the unit that periods are divided by, and with numbers the slices of the first period to copy.
 * Examples: `week`, `month`, `1-6` (of weeks), `month:2`, `week:1-6`.
 * @throws SluiceError BAD_FLAG
 */
export function slicesIn(text: string): SlicesOptions {
  const found = SLICES_FORM.exec(text.trim().toLowerCase())
  const [, alone, unit, first, last] = found ?? []
  if (alone !== undefined) return { unit: alone as SliceUnit }
  const from = Number(first)
  const through = last === undefined ? from : Number(last)
  if (first !== undefined && from >= 1 && through >= from) {
    return { unit: (unit ?? 'week') as SliceUnit, numbers: { from, through } }
  }
  throw new SluiceError('BAD_FLAG', `--slices ${text} is not a unit or a range of slices`, {
    hint: 'write week or month; to copy only some slices of the first period, add their numbers: week:1-6, week:7 or month:1-2',
  })
}

/**
 * The state of a table to read, from `--version` or `--timestamp`.
 * @throws SluiceError BAD_FLAG if both are set
 */
function asOf(args: Arguments): AsOf {
  const version = givenCount(args, 'version', 0)
  const timestamp = givenText(args, 'timestamp')
  if (version !== undefined && timestamp !== undefined) {
    throw exclusive('--version', '--timestamp')
  }
  return {
    ...given('version', version),
    ...given('timestampMs', timestamp === undefined ? undefined : parseInstant('--timestamp', timestamp)),
  }
}

type Single = Extract<OperationWord, { readonly as: 'text' | 'count' | 'choice' | 'duration' | 'run' }>

type OfOption =
  | Single
  | Extract<OperationWord, { readonly as: 'flag' | 'set' | 'list' | 'filled' | 'names' | 'some' | 'tables or all' }>

function ofOption(word: OfOption, option: Option, { command, args, context }: ParsedLine): unknown {
  const { name } = option
  const shown = shownOption(option)
  switch (word.as) {
    case 'flag':
      return givenFlag(args, name)
    case 'set':
      return givenFlag(args, name) ? true : undefined
    case 'list':
      return givenList(args, name, shown)
    case 'filled': {
      const texts = givenList(args, name, shown)
      return texts.length === 0 ? undefined : texts
    }
    case 'names':
      return givenList(args, name, shown).flatMap((text) => splitNames(shown, text))
    case 'some': {
      const texts = givenList(args, name, shown)
      if (texts.length > 0) return texts
      throw new SluiceError('BAD_FLAG', `no ${name} is named`, { hint: `add --${name} LABEL; ${word.where}` })
    }
    case 'tables or all':
      return tablesOrAllArgument(args, name, command.name)
    default: {
      const value = single(word, option, { ...args, [name]: args[name] ?? defaultOf(word, option, context) }, shown)
      if (option.completes === 'path' && typeof value === 'string') return placeOr(value, context.defaults, context.env)
      if (value !== undefined || word.required !== true) return value
      throw new SluiceError('BAD_FLAG', `${shown} is missing`, { hint: option.describe })
    }
  }
}

/** Default for a flag that is not on the line. yargs has already inserted the defaults that were declared to it. */
function defaultOf(word: Single, option: Option, { defaults }: RequestContext): unknown {
  const configured = option.config === 'shown' ? configuredFor(option.name, defaults) : undefined
  return configured ?? option.fallback ?? word.otherwise
}

function single({ as }: Single, { name, least, most }: Option, args: Arguments, shown: string): unknown {
  switch (as) {
    case 'count':
      return givenCount(args, name, least ?? 0, most, shown)
    case 'run':
      return runIdArgument(args, name, shown)
    case 'duration': {
      const text = givenText(args, name, shown)
      const ms = text === undefined ? undefined : parseDuration(shown, text)
      if (ms === undefined || ms >= (least ?? 0)) return ms
      throw new SluiceError('BAD_FLAG', `${shown} must be at least ${leastText(least ?? 0)}, not ${text}`)
    }
    default:
      return givenText(args, name, shown)
  }
}

function leastText(ms: number): string {
  return ms < 1000 ? measureText(ms) : durationText(ms)
}

function optionOf({ name, takes }: CommandDeclaration, word: string): Option {
  const found = takes.find((option) => option.name === word)
  if (found !== undefined) return found
  // Global flags are not options of a command.
  if (GLOBAL_NAMES.includes(word)) return { name: word, type: 'text', describe: 'sluice --help explains it' }
  throw new Error(`${name} takes no ${word}`)
}

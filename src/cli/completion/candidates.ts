/**
 * Candidates at the cursor, from the command declarations and the stores of the config file. Opens no database: names
 * from databases come from ./names.ts.
 */
import type { CatalogNamedKind } from '../../app/known-catalog.ts'
import type { NamedKind } from '../../app/known-names.ts'
import { actionsOf, optionNamesOf } from '../../app/operations/facts.ts'
import { GLOBAL_OPTIONS } from '../../engine/run/operations/global-options.ts'
import type { Completes, Option } from '../../engine/run/operations/option.ts'
import { commandNamed, COMMANDS } from '../parse/command-list.ts'
import { readConfig } from '../config/config.ts'
import { configFlag, firstWord, GLOBAL_NAMES, VALUE_FLAGS } from '../parse/globals.ts'

export type WordCandidate = { readonly word: string; readonly meaning: string }

/** `places`: the shell also completes files or folders, as for any program. */
type Completion = {
  /** True if one word may contain several values. */
  readonly commas?: boolean
  readonly candidates: readonly WordCandidate[]
  readonly places: 'files' | 'folders' | null
  /** True if the word is a database URL, which may name a file. */
  readonly isDatabase?: true
  /** Names that must be read from the database of the command line. */
  readonly wanted?: CompletionRequest
}

/** @property flag prefix of the name in the same word: `--table=`, or '' */
export type CompletionRequest = {
  readonly kind: NamedKind | CatalogNamedKind
  readonly flag: string
  readonly takes: readonly Option[]
  /** True if one word may contain several names, separated by commas. */
  readonly commas?: true
  /** Table named as an operand, whose columns are completed. */
  readonly table?: string
}

const NOTHING: Completion = { candidates: [], places: null }
const NAMED: ReadonlySet<Completes> = new Set<NamedKind>(['table', 'column', 'partition'])
const CATALOG_KINDS: ReadonlySet<Completes | undefined> = new Set<Completes>(['delta table', 'catalog table'])

const PLACES: Readonly<Partial<Record<Completes, 'files' | 'folders'>>> = {
  file: 'files',
  folder: 'folders',
  'folder or bucket': 'folders',
  path: 'folders',
  'delta table': 'folders',
}

/**
 * @param words of the line after the program name, up to the cursor; the last one is being typed, and may be empty
 * @returns completions of the last word, all of them beginning with it
 */
export function completionOf(words: readonly string[]): Completion {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const { commas = false, candidates, ...others } = candidatesFor(before, current)
  const fitting = candidates.filter(({ word }) => word.startsWith(current))
  return { candidates: fitting.length > 0 ? fitting : afterComma(candidates, current, commas), ...others }
}

/** Completions of the last value in a comma-separated word, without repeats. */
function afterComma(candidates: readonly WordCandidate[], current: string, commas: boolean): readonly WordCandidate[] {
  const at = current.lastIndexOf(',') + 1
  if (!commas || at === 0) return []
  const front = current.slice(0, at)
  const given = new Set(front.replace(/^--[^=]*=/, '').split(','))
  return candidates
    .map((one) => ({ ...one, word: one.word.replace(/^--[^=]*=/, '') }))
    .filter(({ word }) => !given.has(word) && word.startsWith(current.slice(at)))
    .map((one) => ({ ...one, word: front + one.word }))
}

function candidatesFor(before: readonly string[], current: string): Completion {
  const name = firstWord(before)
  const command = name === null ? null : commandNamed(name)
  const takes = optionsAfterAction(command, before)
  const equals = current.indexOf('=')
  if (current.startsWith('--') && equals > 0) {
    const flag = current.slice(0, equals + 1)
    const { candidates, places, wanted, commas = false } = valuesOf(current.slice(2, equals), takes, before)
    // Completions must replace the whole word, including the flag.
    return {
      candidates: candidates.map((one) => ({ ...one, word: flag + one.word })),
      places,
      commas,
      ...(wanted === undefined ? {} : { wanted: { ...wanted, flag } }),
    }
  }
  if (before.includes('--')) return NOTHING
  const last = before.at(-1) ?? ''
  if (takesValue(last, takes)) return valuesOf(last.replace(/^--?/, ''), takes, before)
  if (current.startsWith('-')) return { candidates: flagsOf(takes, before), places: null }
  if (name === null) {
    return { candidates: COMMANDS.map(({ name: word, summary }) => ({ word, meaning: summary })), places: 'folders' }
  }
  return command === null ? NOTHING : operandOf(command.name, takes, before)
}

/** Options that remain after the action of a command is given. */
function optionsAfterAction(
  command: { readonly name: string; readonly takes: readonly Option[] } | null,
  before: readonly string[],
): readonly Option[] {
  if (command === null) return []
  const named = actionsOf(command.name).filter(({ name }) => before.includes(name))
  if (named.length === 0) return command.takes
  const reported = named.find(({ flag }) => flag !== null && before.includes(`--${flag}`))
  const taken = new Set((reported === undefined ? named : [reported]).flatMap((action) => [...optionNamesOf(action)]))
  return command.takes.filter(
    ({ name, operand, completes }) => operand === true || completes === 'database' || taken.has(name),
  )
}

function optionNamed(word: string, takes: readonly Option[]): Partial<Option> | undefined {
  return (
    takes.find(({ name, alias }) => name === word || alias === word) ??
    GLOBAL_OPTIONS.find(({ name, alias }) => name === word || alias === word)
  )
}

/** True if the next word is the value of this one. */
function takesValue(word: string, takes: readonly Option[]): boolean {
  if (!word.startsWith('-') || word.includes('=')) return false
  const name = word.replace(/^--?/, '')
  const option = takes.find((known) => known.operand !== true && (known.name === name || known.alias === name))
  return option === undefined ? VALUE_FLAGS.has(word) : option.type !== 'flag'
}

function valuesOf(flag: string, takes: readonly Option[], before: readonly string[]): Completion {
  const option = optionNamed(flag, takes)
  if (option === undefined) return NOTHING
  return valuesOfOption(option, takes, before)
}

function valuesOfOption(
  { choices = [], completes, commas }: Partial<Option>,
  takes: readonly Option[],
  before: readonly string[],
): Completion {
  const isStore = completes === 'database' || completes === 'folder or bucket'
  return {
    candidates: [
      ...choices.map(bare),
      ...(isStore ? storesIn(before) : []),
      ...(completes === 'command' ? COMMANDS.map(({ name, summary }) => ({ word: name, meaning: summary })) : []),
    ],
    commas: commas === true,
    ...(completes === 'database' ? { isDatabase: true as const } : {}),
    places: completes === undefined ? null : (PLACES[completes] ?? null),
    ...namesToRead(completes, takes, before, commas),
  }
}

/** Names that must be read from the database or catalog of the command line. */
function namesToRead(
  completes: Completes | undefined,
  takes: readonly Option[],
  before: readonly string[],
  commas: true | undefined,
): { readonly wanted?: CompletionRequest } {
  const more = { flag: '', takes, ...(commas === undefined ? {} : { commas }) }
  if (CATALOG_KINDS.has(completes)) return { wanted: { ...more, kind: 'catalog table' } }
  if (!isNamed(completes)) return {}
  const isOfCatalog = takes.some(({ operand, completes: of }) => operand === true && CATALOG_KINDS.has(of))
  if (completes !== 'column' || !isOfCatalog) return { wanted: { ...more, kind: completes } }
  const table = givenOperands(firstWord(before) ?? '', takes, before)[0]
  return { wanted: { ...more, kind: 'catalog column', ...(table === undefined ? {} : { table }) } }
}

function isNamed(completes: Completes | undefined): completes is NamedKind {
  return completes !== undefined && NAMED.has(completes)
}

function flagsOf(takes: readonly Option[], before: readonly string[]): readonly WordCandidate[] {
  const own = takes
    .filter(({ operand, hidden }) => operand !== true && hidden !== true)
    .filter(({ name, type }) => type === 'list' || !before.includes(`--${name}`))
    .map(({ name, type, describe, ...option }) => ({
      // A flag that is on by default is offered as its negation.
      word: type === 'flag' && (option.default ?? option.fallback) === true ? `--no-${name}` : `--${name}`,
      meaning: describe,
    }))
  const shared = GLOBAL_OPTIONS.filter(
    ({ name }) => GLOBAL_NAMES.includes(name) && !takes.some((option) => option.name === name),
  ).map(({ name, describe }) => ({ word: `--${name}`, meaning: describe }))
  return [...own, ...shared]
}

/** Completions of the next operand; the last operand is repeated if it is a list. */
function operandOf(command: string, takes: readonly Option[], before: readonly string[]): Completion {
  const operands = takes.filter(({ operand }) => operand === true)
  const given = givenOperands(command, takes, before).length
  const option = operands[given] ?? (operands.at(-1)?.type === 'list' ? operands.at(-1) : undefined)
  if (option === undefined) return NOTHING
  if (option.name === 'action') {
    return { candidates: [...new Set(actionsOf(command).map(({ name }) => name))].map(bare), places: null }
  }
  const { candidates, ...others } = valuesOfOption(option, takes, before)
  // A path of `discover` may also be a database.
  return { candidates: option.completes === 'path' ? [...candidates, ...storesIn(before)] : candidates, ...others }
}

function givenOperands(command: string, takes: readonly Option[], before: readonly string[]): readonly string[] {
  const given: string[] = []
  let isCommandSeen = false
  for (let at = 0; at < before.length; at++) {
    const word = before[at] ?? ''
    if (takesValue(word, takes)) at++
    else if (word.startsWith('-')) continue
    else if (!isCommandSeen && word === command) isCommandSeen = true
    else given.push(word)
  }
  return given
}

/**
 * Store names of the config file that the line names. Empty if the file cannot be read, because completion must not
 * print errors.
 */
function storesIn(before: readonly string[]): readonly WordCandidate[] {
  const file = configFlag(before)
  if (file === null) return []
  try {
    return Object.keys(readConfig(file).stores ?? {}).map((word) => ({ word, meaning: 'store of the config file' }))
  } catch {
    return []
  }
}

const bare = (word: string): WordCandidate => ({ word, meaning: '' })

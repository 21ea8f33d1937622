/**
 * Command-line words from which the fields of an operation are parsed, as data for the command line
 * (`cli/parse/words.ts`). Rules that the data cannot express, such as flags that exclude each other, are parsed by hand
 * there.
 */
import type { AlertOptions } from '../../../model/run/alert.ts'
import type { AsOf } from '../../../model/lake/as-of.ts'
import type { CalendarSpec } from '../../../model/calendar/calendar.ts'
import type { SliceNumbers, SliceUnit } from '../../../model/calendar/slices.ts'

/** `option` names an option of the command; its bounds, unit, choices and default apply. */
export type OperationWord =
  | {
      readonly as: 'text' | 'count' | 'choice' | 'duration' | 'run'
      readonly option: string
      readonly required?: true
      /** Default for an option that declares none; the help describes it in words. */
      readonly otherwise?: number
    }
  /** `set`: `true` or absent. */
  | { readonly as: 'flag' | 'set'; readonly option: string }
  /** `names`: each word may hold several, separated by commas. `filled`: absent if empty. */
  | { readonly as: 'list' | 'names' | 'filled'; readonly option: string }
  /** At least one value; `where` is a text about the place where the possible values are listed. */
  | { readonly as: 'some'; readonly option: string; readonly where: string }
  /** Names of tables; with `--all`, the list is empty. */
  | { readonly as: 'tables or all'; readonly option: string }
  /** `--table`, else the tables of the config file: any number, one or more, or one. */
  | { readonly as: 'any tables' | 'some tables' | 'one table' }
  /** URL of a database, or a store of the config file. */
  | { readonly as: 'end'; readonly option: 'from' | 'to'; readonly required?: true }
  /** As `end`, for an option without a default from the config file or a variable. */
  | { readonly as: 'database'; readonly option: string }
  /** Any number of databases. `gone:ID` means a ledger that no longer exists. */
  | { readonly as: 'databases'; readonly option: string }
  | { readonly as: 'catalog'; readonly required?: true }
  /** `--connect`, else `connect:` of the config file; absent without either. */
  | { readonly as: 'queue' }
  /** Folder or bucket of archives, or a store of the config file that is one. */
  | { readonly as: 'archive place'; readonly option: string }
  /** `--version` or `--timestamp`. */
  | { readonly as: 'as of' }
  /** `--calendar`, `--first-month`, `--year-offset`, `--first-weekday` and `--zone`: only the given parts. */
  | { readonly as: 'calendar' }
  /** `--alert`, `--alert-command` and `--alert-exit`. */
  | { readonly as: 'alert' }
  /** A number of whole periods: `8q`. */
  | { readonly as: 'age'; readonly option: string }
  /** `week`, `month:1-2` or `1-6`: the unit of slices, or their numbers in the first period. */
  | { readonly as: 'slice unit' | 'slice numbers'; readonly option: string }
  /** A fixed value that no option sets. */
  | { readonly as: 'constant'; readonly value: unknown }

declare const TYPE: unique symbol

/** A word with the type of its parsed value, which exists only for the compiler. */
export type WordSource<T> = OperationWord & { readonly [TYPE]?: readonly [T] }

/** A `WordSource` for every field of the operation. */
export type OperationWords<O> = { readonly [K in Exclude<keyof O, 'kind'>]: WordSource<O[K]> }

/** Marks a command that the frontend parses by hand: only its options are listed here. */
export type ByHand = { readonly byHand: readonly string[] }

/**
 * By command and first operand, for commands with actions: `archive list`. The key also has a flag if this flag selects
 * another operation.
 */
export type Actions<O> = Readonly<Record<`${string} ${string}`, OperationWords<O> | ByHand>>

export const text = (option: string): WordSource<string> => ({ as: 'text', option, required: true })
export const optionalText = (option: string): WordSource<string | undefined> => ({ as: 'text', option })
/** A whole number. */
export const count = (option: string): WordSource<number> => ({ as: 'count', option, required: true })
export const optionalCount = (option: string): WordSource<number | undefined> => ({ as: 'count', option })
/** @param otherwise default, because the option declares none; the help describes it in words */
export const countOr = (option: string, otherwise: number): WordSource<number> => ({ as: 'count', option, otherwise })
export const flag = (option: string): WordSource<boolean> => ({ as: 'flag', option })
export const set = (option: string): WordSource<true | undefined> => ({ as: 'set', option })
/** @param _choices choices of the option; they determine the type of the field */
export const choice = <T extends string>(option: string, _choices: readonly T[]): WordSource<T> => ({
  as: 'choice',
  option,
  required: true,
})
/** As `choice`, but optional. */
export const optionalChoice = <T extends string>(
  option: string,
  _choices: readonly T[],
): WordSource<T | undefined> => ({
  as: 'choice',
  option,
})
/** A duration, in ms. */
export const duration = (option: string): WordSource<number> => ({ as: 'duration', option, required: true })
export const optionalDuration = (option: string): WordSource<number | undefined> => ({ as: 'duration', option })
/** Id of a run. */
export const optionalRun = (option: string): WordSource<string | undefined> => ({ as: 'run', option })
/** Words of the list unchanged, with their commas. */
export const list = (option: string): WordSource<readonly string[]> => ({ as: 'list', option })
/** As `list`, but absent if empty. */
export const filledList = (option: string): WordSource<readonly string[] | undefined> => ({ as: 'filled', option })
/** @param where text about the place where the possible values are listed */
export const someOf = (option: string, where: string): WordSource<readonly string[]> => ({ as: 'some', option, where })
export const names = (option: string): WordSource<readonly string[]> => ({ as: 'names', option })
export const tablesOrAll = (option: string): WordSource<readonly string[]> => ({ as: 'tables or all', option })
export const anyTables: WordSource<readonly string[]> = { as: 'any tables' }
export const someTables: WordSource<readonly string[]> = { as: 'some tables' }
export const oneTable: WordSource<string> = { as: 'one table' }
export const end = (option: 'from' | 'to'): WordSource<string> => ({ as: 'end', option, required: true })
export const optionalEnd = (option: 'from' | 'to'): WordSource<string | undefined> => ({ as: 'end', option })
export const database = (option: string): WordSource<string | undefined> => ({ as: 'database', option })
/** Databases; absent if none is named. */
export const databases = (option: string): WordSource<readonly string[] | undefined> => ({ as: 'databases', option })
export const catalog: WordSource<string> = { as: 'catalog', required: true }
export const optionalQueue: WordSource<string | undefined> = { as: 'queue' }
export const optionalCatalog: WordSource<string | undefined> = { as: 'catalog' }
export const archivePlace = (option: string): WordSource<string | undefined> => ({ as: 'archive place', option })
export const asOf: WordSource<AsOf> = { as: 'as of' }
export const calendar: WordSource<Partial<CalendarSpec>> = { as: 'calendar' }
export const alert: WordSource<AlertOptions | undefined> = { as: 'alert' }
export const optionalAge = (option: string): WordSource<string | undefined> => ({ as: 'age', option })
export const sliceUnit = (option: string): WordSource<SliceUnit | undefined> => ({ as: 'slice unit', option })
export const sliceNumbers = (option: string): WordSource<SliceNumbers | undefined> => ({ as: 'slice numbers', option })
export const constant = <const T>(value: T): WordSource<T> => ({ as: 'constant', value })

/** Prefix of a `--ledger` value with the id of a ledger that no longer exists. */
export const MISSING_LEDGER = 'gone:'

/** `--calendar` and its related options. */
export const CALENDAR_FLAGS = ['calendar', 'first-month', 'year-offset', 'first-weekday', 'zone'] as const

/** Options of alerts. */
export const ALERT_FLAGS: readonly string[] = ['alert', 'alert-command', 'alert-exit']

/** Names of the options from which a word is parsed. */
export function wordOptions(word: OperationWord): readonly string[] {
  switch (word.as) {
    case 'catalog':
    case 'constant':
      return []
    case 'queue':
      return ['connect']
    case 'as of':
      return ['version', 'timestamp']
    case 'alert':
      return ALERT_FLAGS
    case 'calendar':
      return CALENDAR_FLAGS
    case 'any tables':
    case 'some tables':
    case 'one table':
      return ['table']
    case 'tables or all':
      return [word.option, 'all']
    default:
      return [word.option]
  }
}

/** Options of a command as data: flags, help, the UI's forms and completion are derived from them. */

import type { CommandPage } from './pages.ts'

/** Completion of a value. `file`, `folder`: local. `delta table`: a path with a log, or an id of the catalog. */
export type Completes =
  | 'file'
  | 'folder'
  | 'folder or bucket'
  | 'path'
  | 'database'
  | 'delta table'
  | 'catalog table'
  | 'table'
  | 'column'
  | 'partition'
  | 'run'
  | 'command'

export type Option = {
  /** Name without dashes; for an operand, the text between its brackets. */
  readonly name: string
  /** Set for a word without a flag in front of it. */
  readonly operand?: true
  readonly alias?: string
  /** `list`: may be repeated, and takes one word each time. */
  readonly type: 'text' | 'number' | 'flag' | 'choice' | 'list'
  /** Unit of a number, or the way in which a text is parsed: `duration` like 90s or 30d, `bytes` like 64MB. */
  readonly unit?: 'duration' | 'bytes' | 'rows' | 'rows a second' | 'seconds' | 'percent'
  readonly choices?: readonly string[]
  /** Smallest and largest number; default: 0 and no limit. A duration has only a smallest value, in ms. */
  readonly least?: number
  readonly most?: number
  readonly default?: string | number | boolean
  /**
   * Effective value if neither flag nor config file sets the option. It replaces `default` if the command must
   * distinguish an unset option from a set one.
   */
  readonly fallback?: string | number | boolean
  /** Text for the effective value, if it is not a single value. */
  readonly shown?: string
  /**
   * Set if the config file may set the option under this name. `default`: as default of the flag; `shown`: the command
   * itself reads it.
   */
  readonly config?: 'default' | 'shown'
  readonly required?: true
  /** Heading above the option in the help. */
  readonly group?: string
  readonly hidden?: true
  /** Set if its value may be personal data: a printed command has a shell variable in its place. */
  readonly withheld?: true
  /** Set for a list if one word may hold several values, separated by commas. */
  readonly commas?: true
  readonly completes?: Completes
  /**
   * For an option that names a run: kinds of operations whose runs are accepted; absent: any run. If a flag follows a
   * kind, the command of the run must have this flag.
   */
  readonly runsOf?: readonly string[]
  readonly describe: string
}

/** Puts options under a heading; an option that already has a heading keeps it. */
export function inGroup(group: string, options: readonly Option[]): readonly Option[] {
  return options.map((option) => ({ group, ...option }))
}

export type CommandDeclaration = CommandPage & {
  /** Options of the command, in the order of the help. */
  readonly takes: readonly Option[]
  /** The options that users need first, at most ten; required if a command has more. `--help=all` shows all options. */
  readonly first?: readonly string[]
  /** One paragraph below the options. */
  readonly epilogue?: string
  /** The epilogue with details, for `--help=all` and the manual. */
  readonly notes?: string
}

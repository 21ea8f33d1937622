/** Interface between the UI and the command-line parser: the UI shows commands as shell text, and starts them. */
import type { Event } from '../model/run/event.ts'
import type { Operation } from './operations/list.ts'
import type { Option } from '../engine/run/operations/option.ts'
import type { CommandGroup } from '../engine/run/operations/pages.ts'

/** A command line and its operation. URLs of open databases have no passwords, which the workbench inserts. */
export type ReadCommand = { readonly operation: Operation; readonly commandLine: string }

/** A command that can be started, with its plan. */
export type Startable = ReadCommand & {
  /** The command that shows the plan. Null if the command has no plan: then `notes` name its stores. */
  readonly plan: ReadCommand | null
  /** True for a read-only listing, which is its own plan. */
  readonly lists: boolean
  /** Facts about the command that its operation does not show. Without a plan, also what it reads and writes. */
  readonly notes: readonly string[]
}

/** Converts events to the lines that a run without the UI prints. */
export type Story = {
  /** @returns the added lines */
  take(event: Event): readonly string[]
}

/** An option of a form. */
export type FormOption = Option & {
  /** True if the command is invalid without this option. */
  readonly needed: boolean
}

/** A command, or an action of a command, as a form. */
export type CommandForm = {
  /** Leading words: `archive run`. */
  readonly words: readonly string[]
  /** Summary in one line. */
  readonly summary: string
  readonly group: CommandGroup
  /** Operands in order, then options in the order of the help. */
  readonly takes: readonly FormOption[]
  /** True if the command is read-only, whatever values its options have. */
  readonly reads: boolean
}

/** A completion. `meaning` may be empty. */
export type CompletionCandidate = { readonly word: string; readonly meaning: string }

export type CommandPort = {
  /**
   * Parses a printed command.
   * @param commandLine a command as shell text that begins with `sluice`
   * @throws SluiceError BAD_FLAG, BAD_CONFIG for invalid words; UNSUPPORTED for a command that only a shell can start
   */
  read(commandLine: string): Promise<Startable>
  /**
   * Parses words that the user entered; passwords in them are used, but never shown.
   * @param words words of the command, without `sluice`
   */
  readWords(words: readonly string[]): Promise<Startable>
  /** Every command that starts an operation, and every action of such commands. */
  forms(): readonly CommandForm[]
  /**
   * Completions of the last word; waits for a database at most two seconds, and never rejects.
   * @param words words of the command, without `sluice`; the last one is incomplete
   */
  complete(words: readonly string[]): Promise<readonly CompletionCandidate[]>
  /** The help page of the command. @param words leading words of the form */
  help(words: readonly string[]): Promise<string>
  /** Replaces `sluice` at the start of a command line by the program name of this installation, if that differs. */
  called(commandLine: string): string
  /** @param plan true if only the plan is requested */
  story(plan: boolean): Story
}

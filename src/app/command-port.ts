/**
 * What a face that shows commands asks of the one that reads and tells them: the UI prints the words of the command line, and starts what they say.
 */
import type { Event } from '../model/run/event.ts'
import type { Operation } from './operations/list.ts'
import type { Option } from '../engine/run/operations/option.ts'
import type { CommandGroup } from '../engine/run/operations/pages.ts'

/** A command line with what it asks for. URLs of databases that are open stand without their passwords: the workbench puts those in. */
export type ReadCommand = { readonly operation: Operation; readonly commandLine: string }

/** A command that can be started, and what is seen before it of what it would do. */
export type Startable = ReadCommand & {
  /** What is run before it; null where nothing tells it but its stores. */
  readonly plan: ReadCommand | null
  /** Its whole purpose is what it prints, and it changes nothing: then the plan is itself. */
  readonly lists: boolean
  /** What the command line says of it beside its operation, and without a plan what it reads and writes. */
  readonly notes: readonly string[]
}

/** Events as the lines that a run without the UI prints. */
export type Story = {
  /** @returns the lines that it adds */
  take(event: Event): readonly string[]
}

/** An option of a form. */
export type FormOption = Option & {
  /** Nothing is read without it. */
  readonly needed: boolean
}

/** A command, or an action of one, as something to fill in. */
export type CommandForm = {
  /** What stands in front: `archive run`. */
  readonly words: readonly string[]
  /** One line. */
  readonly summary: string
  readonly group: CommandGroup
  /** Operands in their order, then options in that of the help. */
  readonly takes: readonly FormOption[]
  /** Nothing is changed by it, whatever is filled in. */
  readonly reads: boolean
}

/** What a word may become. `meaning` is empty where there is nothing to say. */
export type Candidate = { readonly word: string; readonly meaning: string }

export type CommandPort = {
  /**
   * What a printed command asks for.
   * @param commandLine as a shell reads it, beginning with `sluice`
   * @throws SluiceError BAD_FLAG, BAD_CONFIG for words that cannot be read; UNSUPPORTED for what only a shell can start
   */
  read(commandLine: string): Promise<Startable>
  /**
   * The same of words that nobody has printed yet; passwords in them are kept, and shown nowhere.
   * @param words without `sluice`
   */
  readWords(words: readonly string[]): Promise<Startable>
  /** Every command that starts an operation, and every action of one. */
  forms(): readonly CommandForm[]
  /**
   * What the last word may become; it waits for a database two seconds at most, and never rejects.
   * @param words without `sluice`; the last one is being typed
   */
  complete(words: readonly string[]): Promise<readonly Candidate[]>
  /** The page of the command line, for a person. @param words of the form */
  help(words: readonly string[]): Promise<string>
  /** A command as a shell of this machine takes it: the program may have no name there. @param commandLine begins with `sluice` */
  called(commandLine: string): string
  /** @param plan whether the plan is all that is asked for */
  story(plan: boolean): Story
}

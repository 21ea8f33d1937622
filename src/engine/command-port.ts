/**
 * What a face that shows commands asks of the one that reads and tells them: the UI prints the words of the command line, and starts what they say.
 */
import type { Event } from '../model/event.ts'
import type { Operation } from './operations/list.ts'

/** A command line with what it asks for. URLs of databases that are open stand without their passwords: the workbench puts those in. */
export type ReadCommand = { readonly operation: Operation; readonly commandLine: string }

/** A command that can be started, and the one that is run before it to see what it would do. */
export type Startable = ReadCommand & {
  readonly plan: ReadCommand
  /** What the command line says of it beside its operation. */
  readonly notes: readonly string[]
}

/** Events as the lines that a run without the UI prints. */
export type Story = {
  /** @returns the lines that it adds */
  take(event: Event): readonly string[]
}

export type CommandPort = {
  /**
   * What a printed command asks for.
   * @param commandLine as a shell reads it, beginning with `sluice`
   * @throws SluiceError BAD_FLAG, BAD_CONFIG for words that cannot be read; UNSUPPORTED for what only a shell can start
   */
  read(commandLine: string): Promise<Startable>
  /** @param plan whether the plan is all that is asked for */
  story(plan: boolean): Story
}

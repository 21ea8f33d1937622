/** The commands that take a table further, as a shell runs them: what they need beside these words they read from the config file. */
import { shellQuote } from '../../shared/shell.ts'
import type { LifecycleEntry } from './entry.ts'

type Named = Pick<LifecycleEntry, 'table' | 'words'>

/** @param command with its action, such as `partition ensure` */
export function ofTable(command: string, { table, words }: Named): string {
  return `sluice ${command} ${words.table} --table ${shellQuote(table)}`
}

/** @param command that takes the number of a stream which goes from the second database back to the first */
export function ofBackStream(command: string, stream: string, { words }: Named): string {
  return `sluice ${command} ${stream} ${words.back ?? words.stream}`
}

/** @param command that takes the number of a stream */
export function ofStream(command: string, stream: string, { words }: Named): string {
  return `sluice ${command} ${stream} ${words.stream}`
}

/** A command line about the table with all of its databases: by it, commands that a text names are completed. */
export function ofEntry({ table, words }: Named): string {
  return `sluice partition run ${words.here ?? words.stream} --table ${shellQuote(table)}`
}

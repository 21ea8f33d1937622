/** Shell commands that continue a table's lifecycle; all other options are in the config file. */
import { shellQuote } from '../../shared/shell.ts'
import type { LifecycleEntry } from './entry.ts'

type Named = Pick<LifecycleEntry, 'table' | 'words'>

/** Command for the table. @param command with its action, such as `partition ensure` */
export function tableCommand(command: string, { table, words }: Named): string {
  return `sluice ${command} ${words.table} --table ${shellQuote(table)}`
}

/** Command for a reverse stream between two databases. @param command that takes the id of the stream */
export function reverseStreamCommand(command: string, stream: string, { words }: Named): string {
  return `sluice ${command} ${stream} ${words.back ?? words.stream}`
}

/** Command for a stream. @param command that takes the id of the stream */
export function streamCommand(command: string, stream: string, { words }: Named): string {
  return `sluice ${command} ${stream} ${words.stream}`
}

/** A command line with the table and all of its databases, used to complete commands in a text. */
export function entryCommand({ table, words }: Named): string {
  return `sluice partition run ${words.here ?? words.stream} --table ${shellQuote(table)}`
}

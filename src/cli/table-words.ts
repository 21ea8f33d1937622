/** Which tables a command is about: by its words, else by the config file. */
import { isS3Url, parseLakeUrl } from '../model/lake/lake-url.ts'
import { SluiceError } from '../shared/errors.ts'
import { flag, list, type Arguments } from './arguments.ts'
import type { ConfigDefaults } from './config.ts'
import { configNames } from './copy-flags.ts'

/** A name behind `--table` is taken as it is, commas and all. */
export function namedTables(args: Arguments, { table = [], tables }: ConfigDefaults): readonly string[] {
  const flags = list(args, 'table', '--table')
  if (flags.length > 0) return flags
  return [...(typeof table === 'string' ? [table] : table), ...configNames('tables', tables)]
}

/** The same, one at least. @throws SluiceError BAD_FLAG */
export function someTables(args: Arguments, defaults: ConfigDefaults): readonly string[] {
  const tables = namedTables(args, defaults)
  if (tables.length > 0) return tables
  throw new SluiceError('BAD_FLAG', 'no table is named', {
    hint: "add --table NAME, or --table 'public.*' for all that fit; sluice discover URL lists them",
  })
}

/** @throws SluiceError BAD_FLAG for none and for several */
export function oneTable(args: Arguments, defaults: ConfigDefaults): string {
  const [table, ...more] = someTables(args, defaults)
  if (table !== undefined && more.length === 0) return table
  throw new SluiceError('BAD_FLAG', `one table at a time, and not ${more.length + 1}`, { hint: 'give --table once' })
}

/** The tables a command is about; none for all of them. @throws SluiceError BAD_FLAG unless it is tables or `--all` */
export function tablesOrAll(args: Arguments, operand: string, verb: string): readonly string[] {
  const tables = list(args, operand)
  const all = flag(args, 'all')
  // Refused before anything is printed, logged or recorded.
  for (const table of tables) if (isS3Url(table)) parseLakeUrl(table)
  if (all && tables.length > 0) {
    throw new SluiceError('BAD_FLAG', 'TABLE and --all exclude each other', { hint: 'leave one of the two out' })
  }
  if (!all && tables.length === 0) {
    throw new SluiceError('BAD_FLAG', `nothing is named to ${verb}`, {
      hint: 'name tables by path or table id, or say --all for every table of the catalog',
    })
  }
  return tables
}

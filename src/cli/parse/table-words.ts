/** Tables of a command: from its flags, else from the config file. */
import { isS3Url, parseLakeUrl } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { exclusive, givenFlag, givenList, type Arguments } from './arguments.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { configNames } from '../flags/copy-flags.ts'

/** Tables of the flags, else of the config file. `--table` takes one name, including its commas. */
export function namedTableArguments(args: Arguments, { table = [], tables }: ConfigDefaults): readonly string[] {
  const flags = givenList(args, 'table', '--table')
  if (flags.length > 0) return flags
  return [...(typeof table === 'string' ? [table] : table), ...configNames('tables', tables)]
}

/** As `namedTableArguments`, at least one. @throws SluiceError BAD_FLAG if there is none */
export function someTableArguments(args: Arguments, defaults: ConfigDefaults): readonly string[] {
  const tables = namedTableArguments(args, defaults)
  if (tables.length > 0) return tables
  throw new SluiceError('BAD_FLAG', 'no table is named', {
    hint: "add --table NAME, or --table 'public.*' for all tables that match; sluice discover URL lists them",
  })
}

/** The only table. @throws SluiceError BAD_FLAG for no table or several */
export function oneTableOf(args: Arguments, defaults: ConfigDefaults): string {
  const [table, ...more] = someTableArguments(args, defaults)
  if (table !== undefined && more.length === 0) return table
  throw new SluiceError('BAD_FLAG', `give one table, not ${more.length + 1}`, { hint: 'give --table once' })
}

/** Tables of a command; empty for all. @throws SluiceError BAD_FLAG unless tables or `--all` are given, not both */
export function tablesOrAllArgument(args: Arguments, operand: string, verb: string): readonly string[] {
  const tables = givenList(args, operand)
  const all = givenFlag(args, 'all')
  // Refuse bad S3 URLs before anything is printed, logged or recorded.
  for (const table of tables) if (isS3Url(table)) parseLakeUrl(table)
  if (all && tables.length > 0) {
    throw exclusive('TABLE', '--all')
  }
  if (!all && tables.length === 0) {
    throw new SluiceError('BAD_FLAG', `no table to ${verb} is named`, {
      hint: 'name tables by path or table id, or give --all for every table of the catalog',
    })
  }
  return tables
}

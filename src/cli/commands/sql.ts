/** sql: its flags. */
import type { RowFormat } from '../../engine/operation.ts'
import { count, given, optionalText, text } from '../arguments.ts'
import { optionalDuration } from '../duration.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const ROW_FORMATS: readonly RowFormat[] = ['table', 'csv', 'json']

const sql: Command = {
  declare: (yargs) => {
    yargs
      .positional('query', { type: 'string', describe: 'one query in the SQL of the catalog, in quotes' })
      .option('limit', { type: 'number', requiresArg: true, default: 1000, describe: 'rows to give' })
      .option('format', {
        choices: ROW_FORMATS,
        requiresArg: true,
        default: 'table' as const,
        describe: 'how rows are written; json is one object a row',
      })
      .option('timeout', {
        type: 'string',
        requiresArg: true,
        describe: 'cancel the query after this time, such as 30s; else never',
      })
  },
  request: (args, context) => {
    const format = optionalText(args, 'format')
    return operate({
      kind: 'sql',
      query: text(args, 'query'),
      catalog: context.catalog(),
      limit: count(args, 'limit', 1),
      format: ROW_FORMATS.find((word) => word === format) ?? 'table',
      ...given('timeoutMs', optionalDuration(args, 'timeout')),
    })
  },
}

export const commands = { sql }

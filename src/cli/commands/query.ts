/** query: its flags. */
import type { RowFormat } from '../../engine/operation.ts'
import { count, given, optionalText, text } from '../arguments.ts'
import { chooseEnd } from '../copy-ends.ts'
import { optionalDuration } from '../duration.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const ROW_FORMATS: readonly RowFormat[] = ['table', 'csv', 'json']

const query: Command = {
  declare: (yargs) => {
    yargs
      .positional('table', { type: 'string', describe: 'table of the database; the query calls it by this name' })
      .positional('query', {
        type: 'string',
        describe: 'one query in the SQL of DuckDB, in quotes; conditions on the time column keep it to few partitions',
      })
      .option('from', {
        type: 'string',
        requiresArg: true,
        describe: 'URL of the database, which knows where the archive is; else the config file or $DATABASE_URL',
      })
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
  request: (args, { env, defaults }) => {
    const from = chooseEnd('from', args, defaults, env)
    const format = optionalText(args, 'format')
    return operate(
      {
        kind: 'query',
        from: from.url,
        table: text(args, 'table'),
        query: text(args, 'query'),
        limit: count(args, 'limit', 1),
        format: ROW_FORMATS.find((word) => word === format) ?? 'table',
        ...given('timeoutMs', optionalDuration(args, 'timeout')),
      },
      { printed: { add: from.origin === 'script' ? [from.printed] : [] }, urls: [from.url] },
    )
  },
}

export const commands = { query }

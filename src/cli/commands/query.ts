/** query: its flags. */
import { text } from '../arguments.ts'
import { chooseEnd } from '../copy-ends.ts'
import { declareRows, readRows } from '../row-flags.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

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
    declareRows(yargs)
  },
  request: (args, { env, defaults }) => {
    const from = chooseEnd('from', args, defaults, env)
    return operate(
      {
        kind: 'query',
        from: from.url,
        table: text(args, 'table'),
        query: text(args, 'query'),
        ...readRows(args),
      },
      { printed: { add: from.origin === 'script' ? [from.printed] : [] } },
    )
  },
}

export const commands = { query }

/** sql: its flags. */
import { text } from '../arguments.ts'
import { declareRows, readRows } from '../row-flags.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const sql: Command = {
  declare: (yargs) => {
    yargs.positional('query', { type: 'string', describe: 'one query in the SQL of the catalog, in quotes' })
    declareRows(yargs)
  },
  request: (args, context) => {
    return operate({
      kind: 'sql',
      query: text(args, 'query'),
      catalog: context.catalog(),
      ...readRows(args),
    })
  },
}

export const commands = { sql }

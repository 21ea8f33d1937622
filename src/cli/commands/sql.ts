/** sql: its flags. */
import { text } from '../arguments.ts'
import { readRows } from '../row-flags.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const sql: Command = {
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

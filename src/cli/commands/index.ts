/** index: its flags. */
import { flag, list, text } from '../arguments.ts'
import { operate, TABLE_OPERAND } from './command.ts'
import type { Command } from './command.ts'

const index: Command = {
  declare: (yargs) => {
    yargs
      .positional('table', TABLE_OPERAND)
      .positional('column', {
        type: 'string',
        array: true,
        describe: 'columns that conditions ask about; a.b for a field',
      })
      .option('drop', { type: 'boolean', default: false, describe: 'take the ranges of these columns away' })
  },
  request: (args, context) =>
    operate({
      kind: 'index',
      table: text(args, 'table'),
      columns: list(args, 'column'),
      catalog: context.catalog(),
      drop: flag(args, 'drop'),
    }),
}

export const commands = { index }

/** index: its flags. */
import { flag, list, text } from '../arguments.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const index: Command = {
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

/** fsck: its flags. */
import { count, flag, given, optionalCount, text } from '../arguments.ts'
import { asOf } from '../as-of.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const fsck: Command = {
  request: (args, context) =>
    operate({
      kind: 'fsck',
      table: text(args, 'table'),
      ...given('catalog', context.optionalCatalog()),
      asOf: asOf(args),
      deep: flag(args, 'deep'),
      ...given('sample', args['sample'] === undefined ? undefined : count(args, 'sample', 1)),
      seed: text(args, 'seed'),
      ...given('since', optionalCount(args, 'since', 0)),
      outside: flag(args, 'outside'),
    }),
}

export const commands = { fsck }

/** fsck: its flags. */
import { count, flag, given, optionalCount, text } from '../arguments.ts'
import { asOf, declareAsOf } from '../as-of.ts'
import { operate, TABLE_OPERAND } from './command.ts'
import type { Command } from './command.ts'

const fsck: Command = {
  declare: (yargs) => {
    declareAsOf(yargs.positional('table', TABLE_OPERAND))
      .option('deep', { type: 'boolean', default: false, describe: 'read all rows back, and check page checksums' })
      .option('sample', {
        type: 'number',
        requiresArg: true,
        describe: 'open only so many files; all are listed, and all vectors read',
      })
      .option('seed', {
        type: 'string',
        requiresArg: true,
        default: '0',
        describe: 'the same seed opens the same files',
      })
      .option('since', { type: 'number', requiresArg: true, describe: 'only files added after this version' })
      .option('outside', {
        type: 'boolean',
        default: false,
        describe: 'look at files outside the table folder too, as shallow clones have them',
      })
  },
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

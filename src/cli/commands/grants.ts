/** grants: its flags. */
import { SluiceError } from '../../shared/errors.ts'
import { flag, text } from '../arguments.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'
import type { GrantsOperation } from '../../engine/operations/grants/declaration.ts'

const ROLES: readonly GrantsOperation['role'][] = ['reader', 'importer', 'admin']

const grants: Command = {
  declare: (yargs) => {
    yargs
      .option('role', {
        choices: ROLES,
        requiresArg: true,
        demandOption: true,
        describe: 'reader (asks), importer (writes rows) or admin (makes and upgrades the catalog)',
      })
      .option('to', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: 'role or user that gets the rights; name@host for MySQL',
      })
      .option('apply', {
        type: 'boolean',
        default: false,
        describe: 'run the statements too, and not only print them',
      })
  },
  request: (args, context) => {
    const word = text(args, 'role')
    const role = ROLES.find((known) => known === word)
    if (role === undefined) throw new SluiceError('BAD_FLAG', `--role takes ${ROLES.join(', ')}, and not ${word}`)
    return operate({
      kind: 'grants',
      catalog: context.catalog(),
      role,
      to: text(args, 'to'),
      apply: flag(args, 'apply'),
    })
  },
}

export const commands = { grants }

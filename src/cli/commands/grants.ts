/** grants: its flags. */
import { SluiceError } from '../../shared/errors.ts'
import { flag, text } from '../arguments.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'
import type { GrantsOperation } from '../../engine/operations/grants/declaration.ts'

const ROLES: readonly GrantsOperation['role'][] = ['reader', 'importer', 'admin']

const grants: Command = {
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

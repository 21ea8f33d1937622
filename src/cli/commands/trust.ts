/** trust: the file to trust or no longer trust; the implementation is in ../run-trust.ts. */
import { SluiceError } from '../../shared/errors.ts'
import { givenFlag, givenText } from '../parse/arguments.ts'
import type { Command } from './command.ts'

const trust: Command = {
  request: (args) => {
    const [folder, list, remove] = [
      givenText(args, 'folder') ?? null,
      givenFlag(args, 'list'),
      givenFlag(args, 'remove'),
    ]
    if (list && (remove || folder !== null)) {
      throw new SluiceError('BAD_FLAG', '--list cannot be combined with a folder or --remove', {
        hint: 'to list all files, give only --list; otherwise leave out --list',
      })
    }
    return { kind: 'trust', folder: folder ?? '.', action: list ? 'list' : remove ? 'remove' : 'trust' }
  },
}

export const commands = { trust }

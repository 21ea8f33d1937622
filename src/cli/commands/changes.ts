/** changes: its flags. The two versions must be in ascending order. */
import { SluiceError } from '../../shared/errors.ts'
import { requiredCount, given, requiredText } from '../parse/arguments.ts'
import { operate, type Command } from './command.ts'

const changes: Command = {
  request: (args, context) => {
    const fromVersion = requiredCount(args, 'from-version', 0)
    const toVersion = requiredCount(args, 'to-version', 0)
    if (toVersion < fromVersion) {
      throw new SluiceError('BAD_FLAG', `--to-version ${toVersion} is before --from-version ${fromVersion}`, {
        hint: 'exchange the two versions',
      })
    }
    return operate({
      kind: 'changes',
      table: requiredText(args, 'table'),
      ...given('catalog', context.optionalCatalog()),
      fromVersion,
      toVersion,
    })
  },
}

export const commands = { changes }

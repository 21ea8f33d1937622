/** history, files, changes: lists of what a table holds, from the catalog when one is given, else from the log. */
import { SluiceError } from '../../shared/errors.ts'
import { count, given, optionalCount, optionalText, text } from '../arguments.ts'
import { asOf } from '../as-of.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const history: Command = {
  request: (args, context) =>
    operate({
      kind: 'history',
      table: text(args, 'table'),
      ...given('catalog', context.optionalCatalog()),
      limit: count(args, 'limit', 1),
    }),
}

const files: Command = {
  request: (args, context) =>
    operate({
      kind: 'files',
      table: text(args, 'table'),
      ...given('catalog', context.optionalCatalog()),
      asOf: asOf(args),
      ...given('where', optionalText(args, 'where')),
      ...given('limit', optionalCount(args, 'limit', 1)),
    }),
}

const changes: Command = {
  request: (args, context) => {
    const fromVersion = count(args, 'from-version', 0)
    const toVersion = count(args, 'to-version', 0)
    if (toVersion < fromVersion) {
      throw new SluiceError('BAD_FLAG', `--to-version ${toVersion} lies before --from-version ${fromVersion}`, {
        hint: 'swap the two',
      })
    }
    return operate({
      kind: 'changes',
      table: text(args, 'table'),
      ...given('catalog', context.optionalCatalog()),
      fromVersion,
      toVersion,
    })
  },
}

export const commands = { history, files, changes }

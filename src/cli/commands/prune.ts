/** prune: drops old versions of tables from the catalog. */
import { SluiceError } from '../../shared/errors.ts'
import { alertOf } from '../flags/alert-flags.ts'
import { exclusive, givenFlag, given, givenCount, givenText, type Arguments } from '../parse/arguments.ts'
import { givenDuration } from '../flags/duration.ts'
import { operate, type Command } from './command.ts'
import { tablesOrAllArgument } from '../parse/table-words.ts'

/** Versions to keep. @throws SluiceError BAD_FLAG unless exactly one of the two flags is given */
function keepOf(args: Arguments): { readonly versions: number } | { readonly forMs: number } {
  const versions = givenCount(args, 'keep-versions', 1)
  const forMs = givenDuration(args, 'older-than')
  if (versions !== undefined && forMs !== undefined) {
    throw exclusive('--keep-versions', '--older-than')
  }
  if (versions !== undefined) return { versions }
  if (forMs !== undefined) return { forMs }
  throw new SluiceError('BAD_FLAG', 'the versions to remove are not given', {
    hint: 'add --keep-versions 100, or --older-than 30d',
  })
}

const prune: Command = {
  request: (args, context) =>
    operate({
      kind: 'prune',
      tables: tablesOrAllArgument(args, 'table', 'prune'),
      catalog: context.catalog(),
      keep: keepOf(args),
      ...given('waitMs', givenDuration(args, 'wait')),
      ...given('confirm', givenText(args, 'confirm')),
      ...given('alert', alertOf('prune', args)),
      dryRun: givenFlag(args, 'dry-run'),
    }),
}

export const commands = { prune }

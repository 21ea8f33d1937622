/** `--version` and `--timestamp`: which state of a table is meant. */
import type { AsOf } from '../model/lake/as-of.ts'
import { SluiceError } from '../shared/errors.ts'
import { given, optionalCount, optionalText } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import { parseMoment } from './duration.ts'

/** Version or moment that was asked for. @throws SluiceError BAD_FLAG when both are */
export function asOf(args: Arguments): AsOf {
  const version = optionalCount(args, 'version', 0)
  const timestamp = optionalText(args, 'timestamp')
  if (version !== undefined && timestamp !== undefined) {
    throw new SluiceError('BAD_FLAG', '--version and --timestamp exclude each other', {
      hint: 'leave one of the two out',
    })
  }
  return {
    ...given('version', version),
    ...given('timestampMs', timestamp === undefined ? undefined : parseMoment('--timestamp', timestamp)),
  }
}

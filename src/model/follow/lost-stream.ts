/** A stream that cannot continue: all of its tables have to be copied again. */
import { SluiceError } from '../../shared/errors.ts'

/** Hint for a lost stream. */
export const RESTART_STREAM = 'run the command that began the stream, with --restart'

/** Ends a hint to end a stream that cannot go on with all of its tables. */
export const FOLLOW_OTHERS =
  ', then begin one for the remaining tables: sluice copy --follow --from URL --tables OTHERS, with the URL of the source'

/** The loss affects all tables of a stream: copying some of them again does not repair it. */
export function lostStreamError(code: 'SLOT_LOST' | 'STREAM_HALTED', message: string): SluiceError {
  return new SluiceError(code, message, {
    reason: 'changes of every table of the stream may be missing',
    hint: `copy all of them again: ${RESTART_STREAM}`,
  })
}

/** A table that was emptied or altered while a sign-off compared it, in the words of somebody who signs off. */
import { SluiceError } from '../../../shared/errors.ts'

/** @param error SOURCE_GONE, as a copy words it: its hint would have the reader run a copy @returns the same failure, retryable as it was; other errors unchanged */
export function emptiedMeanwhile(error: SluiceError): SluiceError {
  if (error.code !== 'SOURCE_GONE') return error
  return new SluiceError('SOURCE_GONE', error.message.replace('while it was copied', 'while it was compared'), {
    ...(error.where === undefined ? {} : { where: error.where }),
    reason:
      'it was emptied, rewritten, altered or dropped after the moment as of which rows are compared: nothing is signed off',
    hint: 'sign off again while nobody truncates or alters the table; the stream itself has lost nothing',
    retryable: error.retryable,
    cause: error,
  })
}

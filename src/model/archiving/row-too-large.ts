import { SluiceError } from '../../shared/errors.ts'

/** A row whose text does not fit into the piece that rows are read in; with larger pieces it may. */
export class RowTooLarge extends SluiceError {
  constructor(where: string, cause: unknown) {
    super('VALUE_REFUSED', 'a row is larger than the memory of the archive allows', {
      where,
      reason: 'a row has to fit into a sixteenth of it',
      hint: 'give it more with --memory',
      kind: 'source',
      cause,
    })
  }
}

/** Converts an error to plain data, without its cause. */
import type { ErrorInfo, ErrorKind, SluiceError } from './errors.ts'

export type PackedError = { readonly info: ErrorInfo; readonly kind: ErrorKind }
export const packed = (error: SluiceError): PackedError => ({ info: error.info(), kind: error.kind })

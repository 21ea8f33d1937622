/** A row in the form that both sides share. */
export type AnswerRow = {
  /** What it is about, for messages; rows of both sides that are about the same are compared field by field. */
  readonly about: string
  /** What both sides have to say alike, in the same order of fields. */
  readonly fields: Readonly<Record<string, unknown>>
  /** JSON texts that a checkpoint may hold less of, or written anew: compared by value, as far as both sides have it. */
  readonly loose?: Readonly<Record<string, string | null>>
}

/** How a table is cut into partitions, for people. */

/** @param byValue the column whose values are partitions, where they are no periods of the calendar */
export function cutText({ calendar, byValue }: { readonly calendar: string; readonly byValue?: string }): string {
  return byValue === undefined ? calendar : `by the values of ${byValue}`
}

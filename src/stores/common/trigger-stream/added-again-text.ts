/** Why a table halts whose column seems to have been dropped and added again: no trigger fires for that. */
export function addedAgainText(column: string): string {
  return `its column ${column} seems to have been dropped and added again: it has its default in all rows that were not written since`
}

/** Of more items Array.prototype.sort makes shorter work. */
const fewMax = 16;

/**
 * Sorts in place. Array.prototype.sort allocates 900 bytes, however few items there are: for each request that is more than its
 * operation and its reply take, and it is the garbage that costs.
 */
export function sortFew<T>(items: T[], isAfter: (one: T, other: T) => boolean): T[] {
  if (items.length > fewMax)
    return items.sort((one, other) => Number(isAfter(one, other)) - Number(isAfter(other, one)));
  for (let end = 1; end < items.length; end++) {
    const item = items[end] as T;
    let place = end;
    for (; place > 0 && isAfter(items[place - 1] as T, item); place--) items[place] = items[place - 1] as T;
    items[place] = item;
  }
  return items;
}

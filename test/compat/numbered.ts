/** The first OID of what is not PostgreSQL's own (FirstNormalObjectId). */
const OWN = 16384;

/** Gives OIDs of objects made by users numbers of their own, as they come up. */
export class Numbered {
  readonly #numbers = new Map<string, string>();

  of(oid: number | string): string {
    const digits = String(oid);
    if (Number(digits) < OWN) return digits;
    let number = this.#numbers.get(digits);
    if (number === undefined) this.#numbers.set(digits, (number = `#${this.#numbers.size + 1}`));
    return number;
  }

  /** Whatever could be an OID in a text: whole numbers of five digits and more. */
  in(text: string): string {
    return text.replace(/(?<![\dA-Za-z.])\d{5,10}(?![\dA-Za-z.])/g, (digits) => this.of(digits));
  }
}

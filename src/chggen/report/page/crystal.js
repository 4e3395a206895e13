// Crystals in the page: cells, neighbours, bonds, distances, CIF. A crystal is {lattice: 9 numbers (rows), kinds:
// indices into `elements`, frac: flat fractional coordinates, guest: indices of guests}.
"use strict";
window.chggen = window.chggen ?? {};

{
  const BOND = 1.2; // of the sum of covalent radii, up to which two atoms are drawn as bonded
  const FARTHEST = 3.6; // Å, of any bond

  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const norm = (u) => Math.hypot(...u);
  const minus = (u, v) => [u[0] - v[0], u[1] - v[1], u[2] - v[2]];

  /** The three rows of a crystal's lattice. */
  const rows = (crystal) => [0, 3, 6].map((k) => crystal.lattice.slice(k, k + 3));

  /** Cartesian coordinates, Å, of fractional ones. */
  const cartesian = (crystal, f) => {
    const [a, b, c] = rows(crystal);
    return [0, 1, 2].map((k) => f[0] * a[k] + f[1] * b[k] + f[2] * c[k]);
  };

  /** Lengths (Å), angles (°) and volume (Å³) of a crystal's cell. */
  const cell = (crystal) => {
    const [a, b, c] = rows(crystal);
    const angle = (u, v) => (Math.acos(Math.max(-1, Math.min(1, dot(u, v) / norm(u) / norm(v)))) * 180) / Math.PI;
    return {
      lengths: [a, b, c].map(norm),
      angles: [angle(b, c), angle(a, c), angle(a, b)],
      volume: Math.abs(dot(a, cross(b, c))),
    };
  };

  /** Fractional coordinates of every atom, wrapped into the cell. */
  const places = (crystal) =>
    crystal.kinds.map((_, k) => crystal.frac.slice(3 * k, 3 * k + 3).map((x) => x - Math.floor(x + 1e-6)));

  /** Neighbours within a distance: for each atom a list of {other, image, distance}. */
  const neighbours = (crystal, within) => {
    const lattice = rows(crystal);
    const volume = cell(crystal).volume;
    const frac = places(crystal);
    const reach = [0, 1, 2].map((k) => {
      const height = volume / norm(cross(lattice[(k + 1) % 3], lattice[(k + 2) % 3]));
      return Math.ceil(within / height);
    });
    const found = frac.map(() => []);
    const images = [];
    for (let i = -reach[0]; i <= reach[0]; i++)
      for (let j = -reach[1]; j <= reach[1]; j++)
        for (let l = -reach[2]; l <= reach[2]; l++) images.push([i, j, l]);
    const shifts = images.map((image) => cartesian(crystal, image));
    const at = frac.map((f) => cartesian(crystal, f));
    for (let i = 0; i < at.length; i++)
      for (let j = i; j < at.length; j++) {
        const off = minus(at[j], at[i]);
        for (let m = 0; m < shifts.length; m++) {
          const d = Math.hypot(off[0] + shifts[m][0], off[1] + shifts[m][1], off[2] + shifts[m][2]);
          if (d > within || d < 1e-3) continue;
          found[i].push({ other: j, image: images[m], distance: d });
          if (i !== j) found[j].push({ other: i, image: images[m].map((x) => -x), distance: d });
        }
      }
    return found;
  };

  /** Whether two elements may be drawn as bonded: two metals only where there is no other element. */
  const pairs = (crystal, elements) => {
    const onlyMetals = crystal.kinds.every((kind) => elements[kind].metal);
    return (one, two) => onlyMetals || !(elements[one].metal && elements[two].metal);
  };

  /** Bonds of each atom: neighbours of the other kind within 1.2 of the sum of covalent radii. */
  const bonds = (crystal, elements) => {
    const allowed = pairs(crystal, elements);
    return neighbours(crystal, FARTHEST).map((near, k) =>
      near.filter(({ other, distance }) => {
        const [one, two] = [crystal.kinds[k], crystal.kinds[other]];
        return allowed(one, two) && distance < BOND * (elements[one].radius + elements[two].radius);
      }),
    );
  };

  /** The shortest distance of each pair of elements, Å, shortest first. */
  const shortest = (crystal, elements) => {
    const found = new Map();
    neighbours(crystal, FARTHEST).forEach((near, k) => {
      for (const { other, distance } of near) {
        const name = [crystal.kinds[k], crystal.kinds[other]]
          .sort((x, y) => x - y)
          .map((kind) => elements[kind].symbol)
          .join("–");
        if (!(found.get(name) <= distance)) found.set(name, distance);
      }
    });
    return [...found].sort((x, y) => x[1] - y[1]);
  };

  /** A crystal as a CIF in P1. */
  const cif = (crystal, elements, name) => {
    const { lengths, angles, volume } = cell(crystal);
    const lines = [`data_${name}`, "_symmetry_space_group_name_H-M 'P 1'", "_symmetry_Int_Tables_number 1"];
    ["a", "b", "c"].forEach((axis, k) => lines.push(`_cell_length_${axis} ${lengths[k].toFixed(6)}`));
    ["alpha", "beta", "gamma"].forEach((axis, k) => lines.push(`_cell_angle_${axis} ${angles[k].toFixed(6)}`));
    lines.push(`_cell_volume ${volume.toFixed(6)}`, "loop_", "_symmetry_equiv_pos_as_xyz", "'x, y, z'", "loop_");
    lines.push(...["type_symbol", "label", "fract_x", "fract_y", "fract_z"].map((x) => `_atom_site_${x}`));
    places(crystal).forEach((f, k) => {
      const symbol = elements[crystal.kinds[k]].symbol;
      lines.push(`${symbol} ${symbol}${k} ${f.map((x) => x.toFixed(6)).join(" ")}`);
    });
    return `${lines.join("\n")}\n`;
  };

  Object.assign(window.chggen, { bonds, cartesian, cell, cif, cross, dot, minus, norm, places, rows, shortest });
}
